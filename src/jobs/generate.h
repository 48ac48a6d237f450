#pragma once
// `negativa generate`: requests from flags and a prompts file, pictures with their records.
#include <set>

#include "image/events.h"
#include "jobs/forecast.h"

namespace negativa {

struct OutputOptions {
  Path out = "out.png";
  int64_t batch_count = 1;
  Path prompts, save_tensors, from;
  bool show = false;

  static void visit(auto& self, auto& v) {
    v("out", self.out, flag("-o,--out"), "PNG file; with several pictures its name is numbered, and a folder takes 0000.png …");
    v("batch_count", self.batch_count, range(1, 100000), "pictures; picture i is the one that seed + i makes alone");
    v("prompts", self.prompts,
      "JSONL file, one request a line, its keys over the flags; makes what is missing and metadata.jsonl");
    v("from", self.from,
      "PNG made here: the same picture again; of the webui or ComfyUI: its settings, as far as they mean something here; other "
      "flags change what they name");
    v("save_tensors", self.save_tensors, "safetensors file for embeddings, latents and picture (one picture)");
    v("show", self.show, "draw the picture in the terminal");
  }
};

struct GenerateOptions {
  ModelOptions model;
  PictureOptions picture;
  OutputOptions output;
  std::set<std::string> typed = {};  // names of the options that a person typed: those count as given even at their default

  static void visit(auto& self, auto& v) {
    PictureOptions::visit(self.picture, v);
    ModelOptions::visit(self.model, v);
    OutputOptions::visit(self.output, v);
  }
};

// One picture of a run: what is asked and where it goes.
struct PictureRequest {
  PictureOptions options;
  Path file;
};

struct GeneratePlan {
  std::vector<PictureRequest> requests;
  bool is_set = false;        // from a prompts file: pictures that are there are kept, metadata.jsonl is written
  bool makes_folder = false;  // pictures are numbered in `folder`, which need not be there yet
  Path folder;
};

// Seed of the picture number i. Throws ErrorKind::input beyond 2^64 - 1, where counting ends.
uint64_t seed_plus(uint64_t seed, uint64_t i);

// The requests of a prompts file (docs/formats.md), each over `flags`. Throws ErrorKind::input naming file and line.
std::vector<PictureOptions> read_prompts(const Path& file, const PictureOptions& flags);

// Expands batch and prompts file; draws a seed where none is given. Throws ErrorKind::input naming file and line, and for an
// output folder that is not there or cannot be written.
GeneratePlan plan_generate(const GenerateOptions& options);

struct GenerateReport {
  std::vector<Path> files;     // in order of the requests
  int64_t made = 0, kept = 0;  // kept: there already, with the same recipe
  std::vector<uint64_t> seeds;
  double seconds = 0;
  std::optional<double> step_seconds;  // median denoising step, where one worker made the pictures
  uint64_t peak_memory_bytes = 0;
};

// Tells of each picture as it is written. Pictures written before an interruption stay; nothing is left half-written.
GenerateReport generate(Engine& engine, const GenerateOptions& options, EventSink& events, const CancelToken& cancel);

// What --dry-run tells. Throws as generate does, without drawing.
GenerateForecast forecast_generate(Engine& engine, const GenerateOptions& options, EventSink& events, const CancelToken& cancel);

// Sets `fields` of `options` to what the PNG at options.output.from carries, below what was typed: a flag changes what it names.
// A file the recipe names is looked up among those that were typed, then beside them, then among the models. A LoRA or embedding
// typed without weight or name under a name of the recipe only says where that file lies; typed otherwise, the list replaces the
// recipe's. Throws ErrorKind::input when the PNG has no recipe, when a file is not found and when one of that name has another
// hash. Of a picture that another program made, returns what was left out or means something a little different here, one line
// each.
std::vector<std::string> set_from_picture(Fields& fields, const GenerateOptions& options, const Engine& engine,
                                          const CancelToken* cancel = nullptr);

// What the model's files say of sizes, sampler and schedule, below every other source: what --print-config shows.
void set_from_model(Fields& fields, const GenerateOptions& options, Engine& engine);

}  // namespace negativa
