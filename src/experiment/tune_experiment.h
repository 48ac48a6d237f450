#pragma once
// Choosing an arm's settings without looking at the prompts that give the verdict: candidates on prompts of their own, judged by
// a judge of its own.
#include "experiment/run_experiment.h"

namespace negativa {

struct CandidateResult {
  TuneCandidate candidate;
  std::string arm;    // its name in the tuning run
  double damage = 0;  // mean over prompts, and difference to the baseline at the same guidance scale
  double damage_difference = 0;
  double right_object_difference = 0;
  bool is_allowed = false;  // right_object is not below the baseline's by more than [tune] most_lost
};

struct TuneResult {
  std::vector<CandidateResult> candidates;
  std::optional<size_t> chosen;           // lowest damage among the allowed ones
  std::vector<std::string> changed_keys;  // of the TOML: "arms.neg-branch.lora"
  std::string toml;                       // the text with the choice in it
  ExperimentResult run;
};

// The experiment that tries the candidates: arms for them and for the baseline at each of their guidance scales, on the first
// [tune] prompts of the list "tune", one noise seed, one training, measured by judge_select. Throws ErrorKind::input where there
// is no [tune], or what it names cannot be tuned.
ExperimentFile tuning_experiment(const ExperimentFile& file);

// Runs it in `folder` and writes the choice into the TOML; only the lines of its keys change. Nothing is written where no
// candidate is allowed.
TuneResult tune_experiment(Engine& engine, const ExperimentFile& file, const std::filesystem::path& folder, const Caller& caller);

}  // namespace negativa
