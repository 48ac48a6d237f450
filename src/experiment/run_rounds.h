#pragma once
// Learning from what is rejected: round after round the rejects of an arm are what its LoRA is trained on next. docs/rounds.md.
#include "experiment/rounds_file.h"
#include "experiment/run_experiment.h"
#include "stats/preferences.h"

namespace negativa {

enum class RejectBy { people, judge_select, random, folder };

struct RoundsRequest {
  std::filesystem::path run;  // the run's folder
  RejectBy reject = RejectBy::judge_select;
  std::filesystem::path rejects;       // RejectBy::folder: pictures of a person
  std::filesystem::path judge_select;  // empty: the one that the run's TOML names, else the bundled one
  RoundsArm arm;                       // empty where rounds have begun: as they did
  std::optional<size_t> rounds = {};   // in all; absent: see run_rounds
  std::optional<double> share = {};    // of pictures that judge_select and random reject; absent: as begun, or usual_share
};
inline constexpr double usual_share = 0.25;
inline constexpr size_t most_rounds = 10;

// One round against the first and the one before, by the judge that did not choose.
struct RoundResult {
  size_t round = 0, rejects = 0;                   // pictures that it was trained on
  std::optional<WinRate> over_first, over_before;  // absent: of round 0, where the judge
                                                   // measures no damage, and where the arms share every picture
};

struct RoundsResult {
  std::filesystem::path folder;     // RUN/rounds/REJECT
  std::string name, arm;            // of the run, and of its arm
  ExperimentResult run;             // of the rounds, in folder/run
  std::vector<RoundResult> rounds;  // from 0
  std::string stopped;              // why there are no more: one clause
  size_t made = 0;                  // rounds that were begun now
};

// Everything lies in RUN/rounds/REJECT: rounds.json (which rejects, written before their round begins), the TOML, rejects and a
// run folder. Stopped at any moment it goes on where it was. Without request.rounds: with people and with a folder one more
// round, where there are new rejects; else until the interval of the win rate over the round before includes one half, at most
// most_rounds. With people no round begins before a rating of the last one is finished. One process at a time on one folder.
// Throws ErrorKind::input for what the run or its arm has not, other settings than those the rounds began with, a run that has
// changed since, nothing that was rejected; as run_experiment does.
RoundsResult run_rounds(Engine& engine, const RoundsRequest& request, const Caller& caller);

std::string reject_name(RejectBy reject);  // "judge_select"; its folder below RUN/rounds

// Of rounds that are there, by what their folder holds; nothing is made.
std::vector<RoundResult> round_results(const RunStore& store, const std::vector<BegunRound>& begun);

}  // namespace negativa
