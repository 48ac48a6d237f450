#pragma once
// `negativa lora inspect FILE [-m MODEL]`: what is in a LoRA file and whether it fits a model.
#include "lora/lora_file.h"

namespace negativa {

struct LoraReport {
  struct Part {
    int matched = 0, unmatched = 0;  // keys
    int misshapen = 0;               // layers with a fault
  };
  struct Layer {
    std::string component, module;  // without a model: the file's own spelling
    int64_t rank = 0, in_features = 0, out_features = 0;
    double alpha = 0;
    double norm = 0;            // Frobenius norm of the change of the weight; NaN where the change depends on the weight
    std::string kind = "LoRA";  // "LoHa", "DoRA" …; a difference of a bias alone: "bias"
  };

  std::string name;  // of the file, without folders
  uint64_t size_bytes = 0;
  std::string dialect;
  bool compared = false;              // with a model: parts, unmatched and faults say something
  std::string model;                  // whose layers; left to the caller
  std::map<std::string, Part> parts;  // component ("other": keys that name none) -> counts
  std::vector<std::string> unmatched, faults;
  std::vector<std::string> superseded;  // LoraCoverage::superseded
  std::vector<std::string> words;       // textual inversions bundled in it
  std::vector<std::string> off;         // layers of alpha 0: "unet mid_block.attentions.0.proj_in"
  std::string guess;                    // what the file seems to be when it does not fit
  std::string remark;                   // what is odd about it though it fits
  std::vector<Layer> layers;
  Metadata metadata;
  std::string trigger;         // the word to write in a prompt; empty: unknown
  std::string trigger_source;  // the metadata field it comes from
  std::string sha256;       // of the whole file; its first 10 digits are Civitai's AutoV2. Empty: no LoRA, and too large to hash
  std::string data_sha256;  // of the bytes after the header (kohya's sshs_model_hash); its first 12 are AutoV3
  std::string auto_v1;      // first 8 digits of SHA-256 of the 0x10000 bytes at 0x100000

  std::string auto_v2() const { return sha256.substr(0, 10); }
  std::string auto_v3() const { return data_sha256.substr(0, 12); }
};

// targets nullptr: no model to compare with. Throws what survey_lora throws.
LoraReport inspect_lora(const std::filesystem::path& path, const LoraTargets* targets, const CancelToken* cancel = nullptr);

}  // namespace negativa
