#pragma once
// The stock experiment on pictures of one's own: what `experiments/wrong/demo.toml` asks, with a LoRA of a folder of rejects.
#include <string>
#include <vector>

#include "base/config.h"

namespace negativa::studio {

struct RejectsOptions {
  Path data;
  std::string name, word = "wrong";
  std::string model;
  Path judge;
  std::string texts;
  int64_t prompts = 12, replicates = 2;
  int64_t steps = 25;
  double cfg_scale = 4;
  int64_t training_steps = 300, rank = 4;
  double learning_rate = 4e-4;

  static void visit(auto& self, auto& v) {
    v("data", self.data, "the rejects: two dozen pictures or more with one kind of fault in common");
    v("name", self.name, "of the experiment and its run; default: rejects");
    v("word", self.word, "that the rejects are trained on, and that negative prompts say");
    v("model", self.model, "that draws and learns; default: the bundled emoji-xl");
    v("judge", self.judge, "folder of the CLIP model that measures; default: the bundled model's, for its pictures alone");
    v("texts", self.texts, "prompts to draw, one a line; default: those of the stock experiment");
    v("prompts", self.prompts, range(1, 48), "so many of the stock experiment's");
    v("replicates", self.replicates, range(1, 100), "pictures of a prompt in each arm");
    v("steps", self.steps, range(1, 1000), "denoising steps of each picture");
    v("cfg_scale", self.cfg_scale, range(0.0, 100.0), "classifier-free guidance of each picture");
    v("training_steps", self.training_steps, range(1, 1000000), "of the LoRA");
    v("rank", self.rank, range(1, 1024), "of the LoRA");
    v("learning_rate", self.learning_rate, range(0.0, 1.0), "of the LoRA");
  }
};

// What the TOML takes from the stock experiment.
struct StockExperiment {
  std::string toml;           // demo.toml
  std::string prompts_jsonl;  // its list of prompts
};

// The experiment's TOML. `folder` and `judge`: as it is to name them. Throws ErrorKind::input for a word without letters.
std::string rejects_toml(const RejectsOptions& options, const std::string& folder, const std::string& judge,
                         const StockExperiment& stock);

}  // namespace negativa::studio
