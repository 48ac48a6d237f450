#include "experiment/run_rounds.h"

#include <algorithm>
#include <map>

#include "base/derived_seed.h"
#include "base/file_lock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/sha256.h"
#include "experiment/judge_pairs.h"
#include "experiment/rejects.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

template <class T>
void check_as_begun(const std::optional<T>& asked, const T& begun, const char* flag) {
  check(!asked || *asked == begun, ErrorKind::input,
        "[{}] these rounds began with {}; leave it out, or remove their folder to begin anew", flag, begun);
}

std::optional<std::string> if_given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

// What was chosen when the rounds began, or is chosen now.
RoundsState begun_state(const RoundsRequest& request, const fs::path& folder) {
  RoundsState state;
  const fs::path file = folder / names::rounds_file;
  std::error_code ignored;
  if (fs::exists(file, ignored)) {
    state = RoundsState::from_text(read_file(file), file.string());
    check_as_begun(if_given(request.arm.arm), state.arm, "--arm");
    check_as_begun(if_given(request.arm.caption), state.caption, "--caption");
    check_as_begun(request.share, state.share, "--share");
    return state;
  }
  state.arm = request.arm.arm;
  state.caption = request.arm.caption;
  state.share = request.share.value_or(usual_share);
  return state;
}

// The judge that the run's TOML names to choose with.
fs::path judge_select_of(const RoundsRequest& request, const RunPlan& plan) {
  if (!request.judge_select.empty()) return request.judge_select;
  const fs::path named = get_or<std::string>(parse_toml(plan.toml, names::plan_toml), "judge_select", "", names::plan_toml);
  if (named.empty() || named.is_absolute()) return named;
  check(!request.arm.toml.empty(), ErrorKind::input,
        "[--toml] is needed: judge_select of the run is {}, which begins at the folder of its TOML", named.string());
  return fs::absolute(request.arm.toml).parent_path() / named;
}

class Rounds {
 public:
  Rounds(Engine& engine, const RoundsRequest& request, const Caller& caller)
      : engine_(engine),
        request_(request),
        caller_(caller),
        store_(RunStore::open(request.run, caller.events)),
        folder_(store_.folder() / names::rounds_folder / reject_name(request.reject)) {
    const RoundsState begun = begun_state(request, folder_);
    base_ = rounds_base(store_, {begun.arm, begun.caption, request.arm.toml});
    make_folder(folder_);
    lock_ = FileLock(folder_ / names::run_lock,
                     fmt::format("[{}] another negativa experiment next is at work there", folder_.string()));
    state_ = begun_state(request, folder_);  // another may have begun meanwhile
    const std::string hash = sha256_hex(rounds_toml(base_, {}));
    check(state_.base_sha256.empty() || state_.base_sha256 == hash, ErrorKind::input,
          "[{}] the run is planned otherwise than when these rounds began; remove the folder to begin anew", folder_.string());
    state_.arm = base_.arm;
    state_.caption = base_.caption;
    state_.base_sha256 = hash;
    begun_before_ = last();
  }

  RoundsResult run() {
    RoundsResult result;
    keep();
    for (;;) {
      result.run = run_all();
      result.rounds = round_results(rounds_store(), state_.rounds);
      result.stopped = why_over(result.rounds);
      if (!result.stopped.empty()) break;
      result.stopped = begin_round(choose());
      if (!result.stopped.empty()) break;
      ++result.made;
    }
    result.folder = folder_;
    result.name = store_.frozen()->name;
    result.arm = base_.arm;
    return result;
  }

 private:
  fs::path run_folder() const { return folder_ / names::rounds_run; }
  fs::path toml_file() const { return folder_ / (store_.frozen()->name + "-" + reject_name(request_.reject) + ".toml"); }
  RunStore rounds_store() const { return RunStore::open(run_folder(), caller_.events); }
  size_t last() const { return state_.rounds.size(); }

  void keep() {
    write_atomically(folder_ / names::rounds_file, state_.to_text());
    write_atomically(toml_file(), rounds_toml(base_, state_.rounds));
  }

  ExperimentResult run_all() {
    const ExperimentFile file = read_experiment(toml_file());
    for (const auto& line : file.notices) caller_.events.on_notice(line);
    const ExperimentRun run{file, run_folder(), {}, true};
    std::error_code ignored;
    if (!fs::exists(run_folder() / names::plan_file, ignored)) take_first_round(run);
    ExperimentResult result = run_experiment(engine_, run, caller_);
    check(result.is_whole, ErrorKind::machine, "[{}] another process has cells at work; try again when it has ended",
          run_folder().string());
    return result;
  }

  // The run has the pictures of round 0: the same prompt, noise, settings and LoRA give the same bytes. Where the run drew its
  // noise (no seed in its TOML), the rounds have noise of their own, and nothing is found.
  void take_first_round(const ExperimentRun& run) const {
    std::map<std::pair<std::string, uint64_t>, const PlannedCell*> drawn;
    const RunPlan& before = *store_.frozen();
    for (const auto& cell : before.cells)
      if (cell.stage == CellStage::picture && cell.training <= 0 && before.arms[static_cast<size_t>(cell.arm)].name == base_.arm)
        drawn[picture_key(before, cell)] = &cell;
    const ExperimentPlan plan = planned(engine_, run, caller_);
    RunStore rounds(run_folder(), caller_.events);
    rounds.freeze(plan.run);
    for (size_t i = 0; i < plan.run.cells.size(); ++i) {
      const PlannedCell& cell = plan.run.cells[i];
      if (cell.stage != CellStage::picture) continue;
      const auto found = drawn.find(picture_key(plan.run, cell));
      if (found == drawn.end() || store_.state(*found->second) != CellState::whole) continue;
      CellRecord record = store_.checked_record(*found->second, &caller_.cancel);
      record.recipe_json = plan.recipe_json[i];
      record.inputs = plan.outside[i];
      rounds.adopt(cell, store_.path(*found->second), std::move(record));
    }
  }

  static std::pair<std::string, uint64_t> picture_key(const RunPlan& plan, const PlannedCell& cell) {
    const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(cell.prompt)];
    return {prompt.text, prompt.noise_seeds[static_cast<size_t>(cell.replicate)]};
  }

  bool is_one_by_one() const { return request_.reject == RejectBy::people || request_.reject == RejectBy::folder; }

  std::string why_over(const std::vector<RoundResult>& rounds) const {
    if (request_.rounds) return last() >= *request_.rounds ? fmt::format("{} rounds were asked for", *request_.rounds) : "";
    if (last() >= most_rounds) return fmt::format("{} rounds are the most without --rounds", most_rounds);
    if (is_one_by_one()) return last() > begun_before_ ? "one round follows from these rejects" : "";
    const auto& won = rounds.back().over_before;
    if (last() == 0) return "";
    if (!won) return "there is no pair that the judge could tell apart";
    if (!won->interval) return "the win rate over the round before has no interval: " + won->why_absent;
    const bool is_open = won->interval->low <= 0.5 && won->interval->high >= 0.5;
    return is_open ? "the interval of the win rate over the round before includes one half" : "";
  }

  // Where the rounds' own arm stands among pictures that people rated: in the run itself before the first round.
  std::vector<RejectedPicture> by_people() const {
    if (last() == 0) return rejected_by_people(store_, read_pair_ratings(store_.folder() / pair_ratings_file), base_.arm);
    const RunStore rounds = rounds_store();
    return rejected_by_people(rounds, read_pair_ratings(rounds.folder() / pair_ratings_file), round_name(last()));
  }

  std::vector<RejectedPicture> choose() {
    if (request_.reject == RejectBy::people) return by_people();
    if (request_.reject == RejectBy::folder) return pictures_in(request_.rejects);
    const RunStore rounds = rounds_store();
    auto pictures = pictures_of_arm(rounds, round_name(last()), OfTrainings::first);
    const size_t count = count_of_share(state_.share, pictures.size());
    if (request_.reject == RejectBy::random)
      return at_random(std::move(pictures), count, derived_seed(base_.training_seed, "random rejects", last()));
    const RejectingJudge judge(engine_, read_experiment(toml_file()), judge_select_of(request_, *store_.frozen()), caller_);
    return judge.worst(std::move(pictures), count, *rounds.frozen());
  }

  std::string nothing_rejected() const {
    const std::string run = last() == 0 ? store_.folder().string() : run_folder().string();
    const std::string arms =
        last() == 0 ? base_.arm + ",OTHER" : fmt::format("{},{}", round_name(last() - 1), round_name(last()));
    return fmt::format("nobody has rejected pictures of {} in a finished rating; negativa rate {} --arms {}",
                       last() == 0 ? base_.arm : round_name(last()), run, arms);
  }

  // Why there is no further round; empty: it has begun.
  std::string begin_round(const std::vector<RejectedPicture>& rejects) {
    if (rejects.empty()) return nothing_rejected();
    const std::string hash = content_hash(rejects);
    const bool are_known = last() > 0 && state_.rounds.back().rejects.ends_with("-" + hash);
    if (are_known && !request_.rounds)
      return fmt::format("the pictures in {} are those of {} already", request_.rejects.string(), round_name(last()));
    const std::string kept = fmt::format("{}/{}-{}", names::rejects_folder, round_name(last() + 1), hash);
    keep_rejects(folder_ / kept, base_.caption, rejects);
    state_.rounds.push_back({kept, rejects.size()});
    keep();
    return "";
  }

  Engine& engine_;
  const RoundsRequest& request_;
  const Caller& caller_;
  const RunStore store_;
  const fs::path folder_;
  RoundsBase base_;
  FileLock lock_;
  RoundsState state_;
  size_t begun_before_ = 0;
};

std::optional<WinRate> win_rate_over(const RunStore& store, size_t round, size_t other) {
  const auto& metrics = store.frozen()->metric_names;
  if (std::find(metrics.begin(), metrics.end(), "damage") == metrics.end()) return {};
  const auto judgements = judgements_of(judged_pairs(store, *store.frozen(), round_name(round), round_name(other)));
  if (judgements.empty()) return {};
  return win_rate(judgements, round_name(round), round_name(other));
}

}  // namespace

std::string reject_name(RejectBy reject) {
  switch (reject) {
    case RejectBy::people:
      return "people";
    case RejectBy::judge_select:
      return "judge_select";
    case RejectBy::random:
      return "random";
    case RejectBy::folder:
      break;
  }
  return "folder";
}

std::vector<RoundResult> round_results(const RunStore& store, const std::vector<BegunRound>& begun) {
  std::vector<RoundResult> results{{0, 0, {}, {}}};
  for (size_t round = 1; round <= begun.size(); ++round)
    results.push_back({round, begun[round - 1].pictures, win_rate_over(store, round, 0), win_rate_over(store, round, round - 1)});
  return results;
}

RoundsResult run_rounds(Engine& engine, const RoundsRequest& request, const Caller& caller) {
  return Rounds(engine, request, caller).run();
}

}  // namespace negativa
