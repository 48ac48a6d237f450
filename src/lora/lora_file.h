#pragma once
// A LoRA file, whatever its dialect, under our module names. LoRA: Hu et al. 2021, arXiv:2106.09685, section 4.1.
#include "io/keys/lora_names.h"
#include "io/safetensors.h"

namespace negativa {

namespace nn {
struct Walk;
}

// delta W = alpha / rank * up * down
struct LoraModule {
  Tensor down;       // [r, in], fp32
  Tensor up;         // [out, r], fp32
  double alpha = 0;  // never 0 once read: a missing alpha means the rank, and a layer of alpha 0 is off, so not read at all
  std::optional<DType> stored =
      {};               // of the file it was read from, in which a writer stores it again; absent: as the tensors are
  bool is_read = true;  // LoraTarget::is_read

  int64_t rank() const { return down.size(0); }
  double scale() const { return alpha / static_cast<double>(rank()); }
};

// A linear layer a LoRA can act on.
struct LoraTarget {
  std::string name;  // within its component: "down_blocks.1.attentions.0.proj_in"
  int64_t in_features = 0, out_features = 0;
  bool is_read = true;  // false: what it computes reaches no picture
};

struct LoraTargets {
  std::map<std::string, std::vector<LoraTarget>> components;  // "unet", "text_encoder", "text_encoder_2"
  UNetLayout layout;                                          // of the UNet: numbers SGM's blocks

  // All linear layers of one component; for the UNet its layout too. Those whose names begin with `unread` are
  // LoraTarget::is_read = false.
  void add(const std::string& component, const nn::Walk& walk, const std::string& unread = {});
};

// What of a file was understood. A fault is a module that is there but cannot be used.
struct LoraCoverage {
  struct Fault {
    std::string component, text;  // text names the module
  };
  struct Off {
    std::string component, module;
    int64_t rank;
  };
  std::map<std::string, int> matched;  // keys per component
  std::vector<std::string> unmatched;  // keys of the file, in its order
  std::vector<Fault> faults;           // misshapen, half of a pair, ranks that differ, NaN …
  std::vector<Off> off;                // layers of alpha 0, by which block-weight tools switch them off: they are in no `modules`
  std::vector<std::string> magnitudes;  // DoRA's keys
  std::string guess;                    // what the file seems to be when it does not fit: "a LoRA for Flux"; empty: no idea
  std::string remark;                   // worth a line to the user though all fits: what the file was probably made for
};

struct LoraFile {
  std::filesystem::path path;                                        // of the safetensors file, or of a folder with several
  std::map<std::string, std::map<std::string, LoraModule>> modules;  // component -> our module name -> module
  LoraDialect dialect = LoraDialect::diffusers;                      // of most keys; one file may mix them
  Metadata metadata;
  LoraCoverage coverage;
};

std::string dialect_name(LoraDialect dialect);
LoraDialect dialect_from_name(const std::string& name);  // throws ErrorKind::input

// Reads a safetensors file or a folder (peft's adapter_model.safetensors with adapter_config.json, or a folder of such folders
// called unet, text_encoder, text_encoder_2; diffusers' pytorch_lora_weights.safetensors). Every key is read by itself, so
// dialects may be mixed. fp16 and bf16 become fp32; [r,in,1,1] of a linear layer is squeezed; peft's rank-stabilised scale alpha
// / sqrt(r) is folded into alpha. A layer of alpha 0 is off, on purpose unlike sd-scripts and LyCORIS, which take 0 as the rank.
// Throws Error naming file and module: keys that fit nothing (with a guess what the file is for; allow_unmatched skips them and
// lists them in coverage), faults, DoRA (always), files of another kind (io/file_kind.h), a file in which nothing fits.
LoraFile read_lora(const std::filesystem::path& path, const LoraTargets& targets, bool allow_unmatched = false);

// The same, but all that read_lora would refuse is only noted in coverage; modules holds what is sound. For `lora inspect`.
LoraFile survey_lora(const std::filesystem::path& path, const LoraTargets& targets);

// The safetensors files that a LoRA path means: itself, the one in the folder, or one for each component. Throws ErrorKind::input
// for other folders.
std::vector<std::filesystem::path> lora_weights_paths(const std::filesystem::path& path);

}  // namespace negativa
