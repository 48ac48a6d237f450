#include "jobs/experiment_next.h"

#include <list>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "jobs/experiment_report.h"
#include "jobs/job.h"

namespace negativa {

namespace {

RoundsRequest request_of(const ExperimentNextOptions& options) {
  check(!options.reject.empty(), ErrorKind::input,
        "[--reject] is empty, expected people, judge_select, random or a folder of pictures");
  RoundsRequest request;
  request.run = options.run;
  request.reject = RejectBy::folder;
  for (const RejectBy by : {RejectBy::people, RejectBy::judge_select, RejectBy::random})
    if (options.reject == reject_name(by)) request.reject = by;
  if (request.reject == RejectBy::folder) request.rejects = options.reject;
  const bool has_share = request.reject == RejectBy::judge_select || request.reject == RejectBy::random;
  check(!options.share || has_share, ErrorKind::input, "[--share] has no effect with --reject {}; leave it out", options.reject);
  check(options.judge_select.empty() || request.reject == RejectBy::judge_select, ErrorKind::input,
        "[--judge-select] has no effect with --reject {}; leave it out", options.reject);
  request.judge_select = options.judge_select;
  request.arm = {options.arm, options.caption, options.toml};
  if (options.rounds) request.rounds = static_cast<size_t>(*options.rounds);
  request.share = options.share;
  return request;
}

RoundsTable table_of(const std::string& reject, const std::vector<RoundResult>& results, const RunStore& store,
                     const Caller& caller) {
  RoundsTable table{reject, {}, ""};
  for (const auto& result : results) {
    RoundRow row{result.round, result.rejects};
    row.over_first = result.over_first;
    row.over_before = result.over_before;
    table.rows.push_back(std::move(row));
  }
  measure_rounds(table, store, caller.cancel);
  return table;
}

// Rounds of another way of rejecting, as far as they are whole.
struct OtherRounds {
  RoundsTable table;
  std::unique_ptr<const RunStore> store;
};
std::optional<OtherRounds> other_rounds(const Path& folder, const Caller& caller) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder / names::rounds_file, ignored)) return {};
  const std::string where = (folder / names::rounds_file).string();
  const RoundsState state = RoundsState::from_text(read_file(folder / names::rounds_file), where);
  try {
    OtherRounds other;
    other.store.reset(new const RunStore(RunStore::open(folder / names::rounds_run, caller.events)));
    if (!other.store->frozen()) return {};
    other.table = table_of(folder.filename().string(), round_results(*other.store, state.rounds), *other.store, caller);
    return other;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    caller.events.on_notice(fmt::format("the rounds in {} are left out of the page: {}", folder.string(), error.what()));
    return {};
  }
}

Path write_page(const RoundsResult& rounds, const RoundsTable& table, const Caller& caller) {
  const RunStore own = RunStore::open(rounds.folder / names::rounds_run, caller.events);
  const Path all = rounds.folder.parent_path();
  std::vector<SeriesOfRounds> series;
  std::list<OtherRounds> others;
  for (const RejectBy by : {RejectBy::judge_select, RejectBy::people, RejectBy::folder, RejectBy::random}) {
    if (reject_name(by) == table.reject) {
      series.push_back({table, own});
    } else if (auto other = other_rounds(all / reject_name(by), caller)) {
      others.push_back(std::move(*other));
      series.push_back({others.back().table, *others.back().store});
    }
  }
  const Page page = make_rounds_page(rounds.name, rounds.arm, series);
  for (const auto& line : page.notices) caller.events.on_notice(line);
  write_atomically(all / names::rounds_page, page.html);
  return all / names::rounds_page;
}

}  // namespace

std::string isa_of_run(const Path& run, EventSink& events) {
  check(!run.empty(), ErrorKind::input, "[experiment next] a run folder is needed; try runs/demo");
  const RunStore store = RunStore::open(run, events);
  if (!store.frozen()) return "auto";
  const Json config = parse_json(store.frozen()->config_json, names::plan_file);
  return get_or<std::string>(get_object(config, "default", names::plan_file), "isa", "auto", names::plan_file);
}

ExperimentNextReport experiment_next(Engine& engine, const ExperimentNextOptions& options, EventSink& sink,
                                     const CancelToken& cancel) {
  ExperimentNextReport report;
  as_job(sink, cancel, [&](const Caller& caller) {
    const RoundsRequest request = request_of(options);
    report.rounds = run_rounds(engine, request, caller);
    const RunStore store = RunStore::open(report.rounds.folder / names::rounds_run, caller.events);
    report.table = table_of(reject_name(request.reject), report.rounds.rounds, store, caller);
    report.table.stopped = report.rounds.stopped;
    report.page = write_page(report.rounds, report.table, caller);
  });
  report.rounds_report = experiment_report(engine, {report.rounds.folder / names::rounds_run, {}, {}, false}, sink, cancel).page;
  return report;
}

}  // namespace negativa
