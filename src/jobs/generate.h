#pragma once
// `negativa generate`: requests from flags and a prompts file, pictures with their records.
#include "base/cancel.h"
#include "image/image.h"
#include "jobs/forecast.h"
#include "jobs/options.h"

namespace negativa {

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

// on_file is called as each picture is written. Pictures written before an interruption stay; nothing is left half-written.
GenerateReport generate(const GenerateOptions& options, const CancelToken& cancel,
                        const std::function<void(const Path&, const Image8&)>& on_file);

// What --dry-run tells. Throws as generate does, without drawing.
GenerateForecast forecast_generate(const GenerateOptions& options);

}  // namespace negativa
