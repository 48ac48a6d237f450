#pragma once
// The weights of one part (unet, vae, text_encoder …) under our own (diffusers) key names, whatever file and naming they come
// from.
#include "io/safetensors.h"

namespace negativa {

// Where one of our tensors is found in a file, and what is to be done to it on the way in.
struct TensorSource {
  std::shared_ptr<const TensorFile> file;
  std::string key;        // name in the file
  int64_t row_begin = 0;  // rows [row_begin, row_end) of the first axis; row_end -1: all (OpenCLIP's fused in_proj: thirds)
  int64_t row_end = -1;
  bool transpose = false;      // OpenCLIP's text_projection
  bool squeeze = false;        // [o,i,1,1] -> [o,i] (SGM's 1x1 convolutions that are linear layers here)
  std::string scale_key = {};  // of the tensor that ours is multiplied by (scaled_fp8.h); empty: none

  Shape shape() const;  // after all of the above
  DType dtype() const;  // as stored
  // A format for the values: as stored, but bf16 where they are fp8 times a scale.
  DType plain_dtype() const;
  // The values, in plain_dtype() where no other is asked for.
  Tensor load(std::optional<DType> dtype) const;
  Tensor load_stored() const;  // without the scale
  Tensor scale() const;        // [rows], fp32; of those that have one

 private:
  Tensor load_rows(std::optional<DType> dtype) const;
};

using Weights = std::map<std::string, TensorSource>;  // our key -> source

// What a tensor of that name says of how its file was quantised: "bitsandbytes" …; empty: nothing.
std::string_view sign_of_quantising(std::string_view key);

// As they would lie in memory; storage absent: as in the files.
int64_t bytes_of(const Weights& weights, const std::optional<DType>& storage);
// Numbers (not bytes) of the largest tensor: what a cast of one weight at a time takes.
int64_t largest_weight(const Weights& weights);

// How weights are kept when nobody asked: as in the files, a part under 1 GiB in the compute dtype. Casting at every call costs a
// small part more than the memory is worth; the values are the same either way.
std::optional<DType> storage_or_default(const std::optional<DType>& asked, const Weights& weights, DType compute);

}  // namespace negativa
