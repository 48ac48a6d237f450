#pragma once
// `negativa compare`: does a negative LoRA help these prompts? Four arms at the same seeds, one labelled sheet.
#include <set>

#include "jobs/forecast.h"

namespace negativa {

struct CompareOptions {
  std::string negative_word = "wrong";
  int64_t seeds = 4;
  Path prompts;
  Path out = "compare.png";
  bool show = false;
  ModelOptions model;
  PictureOptions picture;            // --lora: the LoRAs under test; --seed: the first seed
  std::set<std::string> typed = {};  // as GenerateOptions::typed

  static void visit(auto& self, auto& v) {
    v("negative_word", self.negative_word, "word of the negative prompt in all arms but the first");
    v("seeds", self.seeds, range(1, 64), "pictures an arm, at seed, seed + 1 …");
    v("prompts", self.prompts, "JSONL file as generate's, a row of the sheet a line and seed; its keys go over the flags");
    v("out", self.out, flag("-o,--out"), "the sheet");
    v("show", self.show, "draw the sheet in the terminal");
    PictureOptions::visit(self.picture, v);
    ModelOptions::visit(self.model, v);
  }
};

struct CompareReport {
  std::vector<std::string> arms;
  std::vector<std::string> prompts;           // one a row
  std::vector<uint64_t> seeds;                // one a row
  std::vector<std::vector<Image8>> pictures;  // a row a prompt and seed, a column an arm
  Image8 sheet;
};

// Arms: nothing; the word; LoRA and word on both branches; on the negative branch alone. Without LoRAs the first two.
// A LoRA's own branch is overridden by the arm's; its weight holds. Throws as generate does.
CompareReport compare(Engine& engine, const CompareOptions& options, EventSink& events, const CancelToken& cancel);

// What --dry-run tells. Throws as compare does, without drawing.
CompareForecast forecast_compare(Engine& engine, const CompareOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
