#pragma once
// Which files of a part's folder hold its weights, and the folder itself where a link became a text file.
#include "io/weights.h"

namespace negativa {

struct WeightFiles {
  std::vector<std::filesystem::path> shards;  // one or several, sorted
  std::filesystem::path index;                // the shards' index; empty for a single file
};

// stem: "diffusion_pytorch_model" or "model". The first that is there with all its shards:
//   1. STEM.safetensors                       2. shards listed in STEM.safetensors.index.json
//   3. STEM.fp16.safetensors                  4. shards in STEM.safetensors.index.fp16.json or STEM.fp16.safetensors.index.json
//   5. STEM.<variant>.safetensors, if there is just one other variant
//   6. what torch.save wrote: STEM.bin, STEM.fp16.bin, of transformers pytorch_model.bin (one file only)
// Full precision comes first because storage can be chosen later; an index whose shards are not all there is passed over, since
// downloads of one variant fetch every JSON file. Throws ErrorKind::missing_key, naming what is there instead.
WeightFiles find_weight_files(const std::filesystem::path& folder, const std::string& stem);

// folder/name, following a small text file that holds a relative path (what a checkout without symbolic links makes of one).
// Absent: there is no such folder.
std::optional<std::filesystem::path> find_part_folder(const std::filesystem::path& folder, const std::string& name);

// All tensors of the files under our names (keys/diffusers_names.h). Throws ErrorKind::file_format: a tensor the index names is
// not in its shard, or two shards hold the same one.
Weights read_part(const std::string& part, const WeightFiles& files);

}  // namespace negativa
