#pragma once
// Rounds of rejecting as an experiment of their own: an arm of a run, and that arm again with its LoRA trained on, once a round,
// on what was rejected in the round before. docs/rounds.md.
#include "experiment/rounds_state.h"
#include "runs/run_store.h"

namespace negativa {

// Which arm goes on, as the command line has it.
struct RoundsArm {
  std::string arm;             // of the run; empty: that of its planned comparison
  std::string caption;         // text that rejects are trained on; empty: that of the LoRA's own set
  std::filesystem::path toml;  // the run's, where paths in it are relative; empty: none are
};

// "FILE[:WEIGHT[:BRANCH]]" of an arm.
struct ArmLora {
  std::string file, weight;  // ":1:negative"
};

// The TOML of rounds, apart from the rounds themselves.
struct RoundsBase {
  std::string arm, caption;
  std::string head;                   // TOML up to the first arm
  std::string overrides_json = "{}";  // of the arm, its LoRAs apart
  std::vector<ArmLora> loras;         // of the arm
  size_t improved = 0;                // of `loras`: the one that is trained on
  std::string training_json = "{}";   // options of its training
  uint64_t training_seed = 0;         // of its first training; round k has this + k
  std::string analysis_json = "{}";
};

// Reads what the run was planned with. Paths of LoRAs are relative to a folder two levels below the run's. Throws
// ErrorKind::input in one line: no such arm, an arm without a LoRA that the run trains or with several, a LoRA that is not
// trained yet, no caption, a relative path that needs the TOML.
RoundsBase rounds_base(const RunStore& run, const RoundsArm& arm);

// "round-0" is the run's arm, "round-1" … follow; each is compared with the first and with the one before.
std::string rounds_toml(const RoundsBase& base, const std::vector<BegunRound>& rounds);
std::string round_name(size_t round);

}  // namespace negativa
