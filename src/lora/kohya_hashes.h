#pragma once
// The hashes by which A1111's webui and Civitai know a LoRA. Source: kohya-ss/sd-scripts library/train_util.py,
// precalculate_safetensors_hashes.
#include "io/safetensors.h"

namespace negativa {

struct KohyaHashes {
  std::string model;  // sshs_model_hash: SHA-256 of the bytes after the header
  std::string
      legacy;  // sshs_legacy_hash: first 8 digits of SHA-256 of 0x10000 bytes at 0x100000 of a file with only the ss_* metadata
};

KohyaHashes kohya_hashes(const std::map<std::string, Tensor>& tensors, const Metadata& metadata);

}  // namespace negativa
