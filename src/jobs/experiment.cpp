#include "jobs/experiment.h"

#include <algorithm>
#include <charconv>

#include "base/names.h"
#include "jobs/experiment_notices.h"
#include "jobs/job.h"

namespace negativa {

namespace {

ExperimentFile file_of(Engine& engine, const Path& toml, const Caller& caller) {
  check(!toml.empty(), ErrorKind::input,
        "[experiment] a TOML file is needed; try experiments/wrong/demo.toml, or docs/experiments.md to write one");
  ExperimentFile file = read_experiment(toml);
  for (const auto& line : file.notices) caller.events.on_notice(line);
  for (const auto& line : experiment_notices(engine, file, caller)) caller.events.on_notice(line);
  return file;
}

Path folder_of(const ExperimentRunOptions& options, const ExperimentFile& file) {
  return options.out.empty() ? Path("runs") / file.name : options.out;
}

Path tuning_folder(const Path& out, const ExperimentFile& file) {
  return out.empty() ? Path("runs") / (file.name + "-tune") : out;
}

}  // namespace

Shard parse_shard(const std::string& text, bool waits) {
  Shard shard{0, 0, waits};
  const char* const end = text.data() + text.size();
  const auto rank = std::from_chars(text.data(), end, shard.rank);
  const bool has_slash = rank.ec == std::errc() && rank.ptr != end && *rank.ptr == '/';
  const auto size = has_slash ? std::from_chars(rank.ptr + 1, end, shard.size) : rank;
  check(has_slash && size.ec == std::errc() && size.ptr == end && shard.rank >= 0 && shard.rank < shard.size, ErrorKind::input,
        "[--shard] got \"{}\", expected i/n with i from 0 to n - 1, such as 0/4", text);
  return shard;
}

ExperimentRunReport experiment_run(Engine& engine, const ExperimentRunRequest& request, EventSink& sink,
                                   const CancelToken& cancel) {
  ExperimentRunReport report;
  Path folder;
  as_job(sink, cancel, [&](const Caller& caller) {
    const ExperimentFile file = file_of(engine, request.options.file, caller);
    folder = folder_of(request.options, file);
    report.run = run_experiment(engine, {file, folder, request.shard, request.options.update}, caller);
  });
  const auto made = [](const StageCount& count) { return count.made > 0; };
  const auto measured = [](const StageCount& count) { return count.stage == CellStage::metrics && count.made + count.there > 0; };
  const auto& stages = report.run.stages;
  if (request.shard.rank != 0 || std::none_of(stages.begin(), stages.end(), measured)) return report;
  report.page = folder / names::report_page;
  if (std::any_of(stages.begin(), stages.end(), made) || !std::filesystem::exists(report.page))
    report.report = experiment_report(engine, {folder, {}, request.options.file, false}, sink, cancel);
  return report;
}

ExperimentForecast forecast_experiment_run(Engine& engine, const ExperimentRunRequest& request, EventSink& sink,
                                           const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) {
    const ExperimentFile file = file_of(engine, request.options.file, caller);
    const Path folder = folder_of(request.options, file);
    const ExperimentPlan plan = planned(engine, {file, folder, request.shard, request.options.update}, caller);
    const auto limit = request.options.budget ? std::optional(*request.options.budget * 60) : std::nullopt;
    return forecast_experiment(engine, plan, folder, limit, caller);
  });
}

TuneResult experiment_tune(Engine& engine, const Path& toml, const Path& out, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) {
    const ExperimentFile file = file_of(engine, toml, caller);
    return tune_experiment(engine, file, tuning_folder(out, file), caller);
  });
}

ExperimentForecast forecast_experiment_tune(Engine& engine, const Path& toml, const Path& out, EventSink& sink,
                                            const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) {
    const ExperimentFile file = file_of(engine, toml, caller);
    const ExperimentFile tuning = tuning_experiment(file);
    const Path folder = tuning_folder(out, file);
    return forecast_experiment(engine, planned(engine, {tuning, folder, {}, true}, caller), folder, {}, caller);
  });
}

RunStatus experiment_status(Engine&, const Path& folder, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return run_status(RunStore::open(folder, caller.events)); });
}

RunDifference experiment_diff(Engine&, const Path& first, const Path& second, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) {
    return compare_runs(RunStore::open(first, caller.events), RunStore::open(second, caller.events), cancel);
  });
}

}  // namespace negativa
