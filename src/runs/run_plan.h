#pragma once
// An experiment's run folder as anyone reads it who makes, joins, compares or reports it: the frozen plan, and the record beside
// each cell's file. docs/formats.md, "Experiment run folder". No torch: a report is made from these alone.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/recipe.h"

namespace negativa {

// Stages in the order in which their cells can be made.
enum class CellStage {
  set_picture,  // a picture to train on
  set,          // metadata.jsonl of such pictures: the manifest
  lora,         // trained
  random_lora,  // of another LoRA's singular values
  merged_lora,  // of other LoRAs
  embedding,    // trained
  calibration,  // of the judge
  picture,      // of an arm
  metrics,      // of such a picture
};
inline constexpr size_t cell_stages = 9;
std::string stage_name(CellStage stage);                                   // "set-picture"
CellStage stage_from_name(std::string_view name, std::string_view where);  // throws ErrorKind::file_format

// One thing that an experiment makes: a file, and its record (the same name, .json). Of metrics the record is all there is.
struct PlannedCell {
  CellStage stage = CellStage::picture;
  std::string address;         // 64 hexadecimal digits: SHA-256 of all that decides its bytes (runs/address.h)
  std::string file;            // relative to the run folder, in one of its cell folders, '/', ends in the first eight digits of
                               // the address and an extension; cells of one address may share it
  std::vector<size_t> inputs;  // cells that must be there first, by number
  // Of pictures and their metrics; -1: not of that kind.
  int arm = -1, prompt = -1, replicate = -1;
  int training = -1;  // which training of the arm's LoRAs; of a LoRA or embedding: its own
  std::string name;   // of sets, LoRAs and embeddings: as the TOML has it

  // Relative: the file's name with .json for its extension; of a file that ends in .json with .record.json; of metrics the file
  // itself.
  std::filesystem::path record_file() const;
};

struct PlannedPrompt {
  std::string text, group;
  std::string list;                   // "test", "tune" …
  std::vector<uint64_t> noise_seeds;  // one a replicate
};

// A column of the experiment: the default, overridden.
struct PlannedArm {
  std::string name;                                       // unique; of a sweep "cfg/article/cfg_scale=6"
  std::string sweep;                                      // empty: one of [arms]
  std::string of_arm;                                     // of a sweep: the arm that is varied; "" for the default itself
  std::vector<std::pair<std::string, std::string>> axes;  // of a sweep: option and value, as text
  std::string overrides_json = "{}";                      // what differs from [default], as the TOML has it
  std::string settings_json = "{}";                       // resolved, as every picture of it shares them
  int trainings = 0;                                      // 0: nothing trained is in it
  int replicates = 1;
  std::string list;  // of prompts
};

// What is decided before the run (experiment report's verdict). Each is a difference "arm - arm".
struct AnalysisPlan {
  std::string metric = "damage", guard = "right_object";
  std::string primary;
  std::vector<std::string> secondary;
  std::vector<std::string> metrics;     // measured; empty: all
  std::string claim = "made_this_way";  // or "these": which line the verdict uses
  double level = 0.95;
};

// Frozen into the run folder (plan.json) at the first start.
struct RunPlan {
  std::string name;                  // the TOML's stem
  std::string config_json = "{}";    // the TOML as it was understood, defaults included
  std::string toml;                  // its text
  std::vector<uint64_t> base_seeds;  // of noise, one a replicate; those of prompts and sets follow from them
  std::vector<RecipeInput> inputs;   // files from outside: models, judge, LoRAs, prompt lists, pictures of sets
  std::vector<std::string> damages;  // that count in the damage score
  std::string uncalibrated;          // why the score is over all of them; empty: it is calibrated
  std::vector<PlannedPrompt> prompts;
  std::vector<PlannedArm> arms;
  AnalysisPlan analysis;
  std::vector<std::string> metric_names;  // columns of the metric rows
  std::vector<PlannedCell> cells;         // inputs before what is made of them
  bool counts_test_run = false;           // a list named "test" is measured

  // SHA-256 of all above but the TOML's text, whose comments decide nothing: known as the run's.
  std::string hash() const;
  // Throws ErrorKind::file_format for what no plan may have: an input that is not an earlier cell, a number of an arm, prompt or
  // replicate that there is none of, a file outside the cell folders, one file for two addresses …
  void check_whole(std::string_view where) const;

  std::string to_text() const;  // JSON, a line a cell; has the hash, so that damage is seen
  // Throws ErrorKind::file_format, missing_key; checks as check_whole does.
  static RunPlan from_text(std::string_view text, std::string_view where);
};

// Beside a cell's file. The first whole one stays, whoever made it.
struct CellRecord {
  std::string address;
  CellStage stage = CellStage::picture;
  int format = 1;                  // of the stage (runs/address.h)
  std::string recipe_json = "{}";  // the stage's part of the recipe
  // Cells by the last name of their file ("red-apple-1a2b3c4d.png") and the SHA-256 of the bytes that were used; files from
  // outside. Of metrics every picture among the cell's inputs must be there: they say of which bytes they were measured.
  std::vector<RecipeInput> inputs;
  std::string sha256;                                    // of the file; empty for metrics
  uint64_t bytes = 0;                                    // of the file
  std::map<std::string, std::optional<double>> metrics;  // of metrics; absent: it says nothing of the picture
  std::map<std::string, double> timings_s;               // exempt from comparison, as are the next three
  std::string processor, program_version;
  int threads = 0;

  std::string to_text() const;  // canonical JSON and a line end. Throws ErrorKind::input for a metric that is NaN or infinite
  static CellRecord from_text(std::string_view text, std::string_view where);  // throws ErrorKind::file_format, missing_key
};

}  // namespace negativa
