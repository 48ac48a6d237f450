#pragma once
// A LoRA put into a model for good: W += sum_i w_i alpha_i / r_i up_i down_i, in fp32, stored as the model was; other kinds by
// their own change of the bare weight, times w_i.
#include "base/cancel.h"
#include "io/model_files.h"
#include "lora/merge.h"

namespace negativa {

struct BakeRequest {
  std::vector<WeightedLora> loras;
  std::optional<DType> storage;  // of floating-point weights (stored_numbers.h); absent: as in the model's files
  Metadata metadata;             // added to the headers of the changed weight files
};

struct BakeReport {
  std::map<std::string, int> changed;  // part -> weights a LoRA was added to
  int tensors = 0;                     // in all weight files
  int64_t bytes = 0;                   // of weights written
  int kept = 0;                        // floating-point tensors that stay in another format than the storage asked for
  int64_t saturated = 0;               // numbers that became fp8's largest
};

// What will be written, by the headers alone: throws as bake does for parts the model lacks and shapes that do not fit.
BakeReport plan_bake(const ModelFiles& model, const BakeRequest& request);

// Writes the model as a diffusers folder into `folder`, which is there and empty: a folder's weight files keep their tensors'
// names and their shards, a single file's parts get diffusers' names. One weight is in memory at a time. on_tensor: after each.
// Throws ErrorKind::missing_key or shape (a LoRA for another model), ErrorKind::input (a result that the storage cannot hold),
// ErrorKind::cancelled, and as files are written.
BakeReport bake(const ModelFiles& model, const BakeRequest& request, const std::filesystem::path& folder,
                const CancelToken& cancel, const std::function<void()>& on_tensor);

}  // namespace negativa
