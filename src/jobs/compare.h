#pragma once
// `negativa compare`: does a negative LoRA help these prompts? Arms side by side at the same seeds, on labelled sheets.
#include <set>

#include "jobs/forecast.h"

namespace negativa {

struct CompareOptions {
  std::string negative_word = "wrong";
  std::string arms;
  std::vector<std::string> axis;
  int64_t seeds = 4;
  Path prompts;
  Path out = "compare.png";
  bool show = false;
  ModelOptions model;
  PictureOptions picture;            // --lora: the LoRAs under test; --seed: the first seed
  std::set<std::string> typed = {};  // as GenerateOptions::typed

  static void visit(auto& self, auto& v) {
    v("negative_word", self.negative_word, "joins the negative prompt in the arms that have the word");
    v("arms", self.arms,
      "columns: names among nothing, word, article, neg-branch, lora-only, minus, apart, autoguidance with commas between, or "
      "FILE.toml[:NAME,…], whose [arms.NAME] tables they are; default: nothing,word and with --lora article,neg-branch too");
    v("axis", self.axis,
      "OPTION=V1,V2,… draws each arm again with each value of an option, beside the arm without it; twice: all combinations; "
      "values with commas: OPTION=[\"a, b\", \"c\"]");
    v("seeds", self.seeds, range(1, 64), "pictures an arm, at seed, seed + 1 …");
    v("prompts", self.prompts, "JSONL file as generate's, a row of the sheet a line and seed; its keys go over the flags");
    v("out", self.out, flag("-o,--out"), "the sheet; of more than 64 megapixels it is cut into numbered ones");
    v("show", self.show, "draw the sheet in the terminal");
    PictureOptions::visit(self.picture, v);
    ModelOptions::visit(self.model, v);
  }
};

struct CompareReport {
  std::vector<std::string> arms;              // names of the columns: "article", "article/cfg_scale=3"
  std::vector<std::string> prompts;           // one a row
  std::vector<uint64_t> seeds;                // one a row
  std::vector<std::vector<Image8>> pictures;  // a row a prompt and seed, a column an arm
  std::vector<Path> files;                    // the sheets: `out`, or several as "compare-1.png"
};

// Columns: each arm, and for each combination of the axes' values the arm with them; the noise is the same along a row. Arms of
// --arms by name: a LoRA's own branch is overridden by the arm's, its weight holds. Arms of a TOML: its [default] stands below
// the flags, its arms over them; a --lora stands for a LoRA of [loras] that the experiment would make. A column that draws what
// another of its arm does is left out with a notice. Throws as generate does, and ErrorKind::input for arms and axes that make
// no sense. What has no effect is told in notices.
CompareReport compare(Engine& engine, const CompareOptions& options, EventSink& events, const CancelToken& cancel);

// What --dry-run tells. Throws as compare does, without drawing.
CompareForecast forecast_compare(Engine& engine, const CompareOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
