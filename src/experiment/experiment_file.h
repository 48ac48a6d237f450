#pragma once
// An experiment as its TOML file says it. docs/experiments.md, "The TOML file". Every table goes through the same `visit` lists
// as the command line's options; an unknown key is an error that names the nearest.
#include "base/json_fwd.h"
#include "base/names.h"
#include "engine/options.h"
#include "runs/run_plan.h"
#include "train/options.h"

namespace negativa {

// Keys at the top of the file.
struct ExperimentOptions {
  std::string model;  // empty: the bundled model
  Path judge, judge_select;
  std::optional<uint64_t> seed;
  int64_t replicates = 1, training_seeds = 1;
  bool calibrate = false;

  static void visit(auto& self, auto& v) {
    v("model", self.model,
      "diffusers folder, SGM .safetensors file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("judge", self.judge, "folder of the CLIP model that measures; default: the bundled model's own, for its pictures alone");
    v("judge_select", self.judge_select, "folder of the one that chooses (experiment tune); default: the bundled one");
    v("seed", self.seed, "of all noise; absent: drawn once for each replicate and written down");
    v("replicates", self.replicates, range(1, 1000), "pictures of a prompt in each arm, each with noise of its own");
    v("training_seeds", self.training_seeds, range(1, 100), "trainings of each LoRA, random LoRA and embedding");
    v("calibrate", self.calibrate, "measure anew how well the judge tells damages, instead of taking what is kept beside it");
  }
};

// Options of a picture and of the model that draws it: [default], and what arms, sweeps and sets override. In `lora` and
// `embedding` the file may be the name of one of [loras] or [embeddings].
struct DrawOptions {
  ModelOptions model;
  PictureOptions picture;

  static void visit(auto& self, auto& v) {
    PictureOptions::visit(self.picture, v);
    ModelOptions::visit(self.model, v);
  }
};

struct PromptLists {
  std::map<std::string, std::vector<PlannedPrompt>> lists;  // by name; noise_seeds empty
  std::vector<RecipeInput> files;                           // they were read from
  std::string draw = "test";                                // the list that arms draw
  std::optional<int64_t> first;                             // only so many of it
};

// [sets.NAME]: pictures to train on. Drawn from `template` with {keywords} (all, joined, one of them emphasised in turn),
// {keyword} (that one alone, emphasised) and {subject} (the next of `subjects`), for each keyword and cfg_scale.
struct SetOptions {
  Path folder;
  std::string template_text = "{keywords}", emphasis = "({})++++", caption;
  std::vector<std::string> keywords, subjects;
  int64_t pictures = 1, plain = 0;

  static void visit(auto& self, auto& v) {
    v("folder", self.folder,
      "pictures of your own instead: all of them, under `caption`, or their own captions where that is absent");
    v("template", self.template_text, "prompt of a picture, with {keywords}, {keyword}, {subject}");
    v("emphasis", self.emphasis, "how the keyword in turn is written; {} is the keyword");
    v("keywords", self.keywords, "each is emphasised in turn");
    v("subjects", self.subjects, "texts for {subject}, taken in turn, and captions of plain pictures");
    v("caption", self.caption, "text of every picture in training; absent: its subject");
    v("pictures", self.pictures, range(1, 100000), "for each keyword and cfg_scale");
    v("plain", self.plain, range(0, 100000), "pictures of subjects without keywords beside them, under their own captions");
  }
};
struct SetSpec {
  std::string name;
  SetOptions options;
  std::vector<double> cfg_scales;  // empty: the default's
  DrawOptions draw;                // [default] with [sets.NAME.picture] over it
};

// [loras.NAME]: trained on a set, random, merged, or a file.
struct LoraTable {
  std::string name;
  std::string set;                   // trained on that one
  TrainLoraOptions train;            // rank, steps, learning_rate …; model and data are the experiment's
  std::vector<int64_t> checkpoints;  // "NAME@STEPS" is the LoRA after so many of the steps
  std::string random_of;             // of that LoRA's singular values
  std::vector<std::string> merge;    // "LORA:WEIGHT" each
  Path file;
};
struct EmbeddingTable {
  std::string name;
  std::string set;
  TrainEmbeddingOptions train;
  Path file;
};

struct ArmTable {
  std::string name;
  std::string overrides_json = "{}";  // over [default]; checked
  DrawOptions draw;                   // resolved: default, then overrides
  bool negative_is_prompt = false;    // negative_prompt = { same_as = "prompt" }
  std::string list;                   // of prompts
  int64_t replicates = 1, training_seeds = 1;
};

// [sweeps.NAME]: arms again for every combination of values; keys with lists are axes. A combination that is the arm itself is
// left out where that arm's own column has its pictures; where none has them, that column is the sweep's, "SWEEP/ARM".
struct SweepTable {
  std::string name;
  std::vector<ArmTable> arms;       // one for each arm and combination: what is drawn beside the arm itself
  std::vector<std::string> of_arm;  // [arms]: which it varies; "" for the default itself
  std::vector<std::vector<std::pair<std::string, std::string>>> axes;  // [arms]: option and value
};

// [tune]: at most 12 candidates for one arm. steps: of its LoRA's training, one of the checkpoints or all.
struct TuneCandidate {
  std::optional<double> weight, cfg_scale, negative_scale;
  std::optional<int64_t> steps;
};
struct TuneTable {
  std::string arm, baseline = "nothing";
  std::vector<TuneCandidate> candidates;
  int64_t prompts = 24;
  double most_lost = 0.02;  // of right_object against the baseline
};

struct ExperimentFile {
  Path path;
  std::string name;  // the file's stem
  std::string text;
  ExperimentOptions options;
  DrawOptions defaults;
  PromptLists prompts;
  std::vector<SetSpec> sets;
  std::vector<LoraTable> loras;
  std::vector<EmbeddingTable> embeddings;
  std::vector<ArmTable> arms;  // in the order of the file, as are the other lists
  std::vector<SweepTable> sweeps;
  std::optional<TuneTable> tune;
  AnalysisPlan analysis;
  std::string bundled_judge = names::judge_folder;  // of the bundled model: the one that measures where options.judge is empty
  std::vector<std::string> notices;                 // what stands in the file without effect, each with its line
  std::string config_json;           // what decides the run, as the file has it and with defaults: the plan freezes it
  std::string choice_json;           // judge_select and [tune], likewise: they choose, and decide nothing of the run itself
  std::map<std::string, int> lines;  // "arms.article.lora" -> line of the text, from 1
};

// Relative paths in the text are those of the file's folder, `path`. In sets, loras, embeddings, arms, sweeps, defaults and the
// judges of `options` they stand resolved, so that they open from the working folder; where `model`, `refiner` and `vae` name
// nothing beside the file, they stay as they are: names in $NEGATIVA_MODELS. overrides_json and config_json have them as the text
// does, so that a run is the same wherever its TOML lies. Throws ErrorKind::input, file_format, missing_key in one line that
// names file, line and key: unknown keys and names, an arm whose LoRA or embedding nobody makes, a name given twice, captions of
// sets that stand in a prompt list, the same prompt twice, lists without prompts, seeds or prompts in [default] and arms …
ExperimentFile read_experiment(const Path& path);
ExperimentFile parse_experiment(const std::string& text, const Path& path);

// TOML with a comment at each value that says where it came from: --print-config. In the order of the file; read again it means
// the same.
std::string print_experiment(const ExperimentFile& file);

// The line of the TOML on which two texts of an experiment differ first, by meaning: comments and order do not count. Empty: they
// mean the same. "line 31 (arms.article.lora): the run has […], the file […]"
std::string first_difference(const std::string& run_config_json, const ExperimentFile& file);

// Values changed in the TOML's text: only their lines change; comments, order and line ends stay. `key` is a path as toml_path
// writes it, "arms.neg-branch.lora"; a key that is not there yet is put behind the last one of its table, a table behind all.
// value_toml is written as it is. Throws ErrorKind::input where other values would change too.
std::string with_value(const std::string& toml, const std::string& key, const std::string& value_toml);

}  // namespace negativa
