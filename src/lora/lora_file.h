#pragma once
// A LoRA file, whatever its dialect, under our module names. LoRA: Hu et al. 2021, arXiv:2106.09685, section 4.1.
#include "io/keys/lora_names.h"
#include "io/safetensors.h"
#include "lora/layer_change.h"

namespace negativa {

// delta W = alpha / rank * up * down
struct LoraModule {
  Tensor down;       // [r, in], fp32; of a convolution of k x k [r, in k k]
  Tensor up;         // [out, r], fp32
  double alpha = 0;  // never 0 once read: a missing alpha means the rank, and a layer of alpha 0 is off, so not read at all
  std::optional<DType> stored =
      {};               // of the file it was read from, in which a writer stores it again; absent: as the tensors are
  bool is_read = true;  // LoraTarget::is_read
  int64_t kernel = 0;   // of a convolution k; 0: a linear layer

  int64_t rank() const { return down.size(0); }
  double scale() const { return alpha / static_cast<double>(rank()); }
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
  std::vector<std::string> magnitudes;  // of DoRA that belong to no layer: to drop them would change what the file does
  std::vector<std::string> superseded;  // layers named as SGM's and as diffusers' both, of which diffusers' count
  std::string guess;                    // what the file seems to be when it does not fit: "a LoRA for Flux"; empty: no idea
  std::string remark;                   // worth a line to the user though all fits: what the file was probably made for
};

// A textual inversion that a LoRA file brings along (OneTrainer, webui: `bundle_emb`).
struct BundledEmbedding {
  std::string word;
  Tensor clip_l, clip_g;  // [k, width], fp32; undefined: none
};

// component -> our module name -> what is done to it
using LoraModules = std::map<std::string, std::map<std::string, LoraModule>>;
using LayerChanges = std::map<std::string, std::map<std::string, std::shared_ptr<const LayerChange>>>;

struct LoraFile {
  std::filesystem::path path;  // of the safetensors file, or of a folder with several
  LoraModules modules;         // plain LoRAs, of linear layers and convolutions
  LayerChanges changes;        // all other kinds; a layer can have both, where a LoRA comes with a difference of the bias
  std::vector<BundledEmbedding> embeddings;
  LoraDialect dialect = LoraDialect::diffusers;  // of most keys; one file may mix them
  Metadata metadata;
  LoraCoverage coverage;
};

// Once for each layer that the file acts on.
void for_each_layer(const LoraFile& lora, const std::function<void(const std::string& component, const std::string& name)>& call);
int count_layers(const LoraFile& lora);

std::string dialect_name(LoraDialect dialect);
LoraDialect dialect_from_name(const std::string& name);  // throws ErrorKind::input

// Reads a safetensors file or a folder (peft's adapter_model.safetensors with adapter_config.json, or a folder of such folders
// called unet, text_encoder, text_encoder_2; diffusers' pytorch_lora_weights.safetensors). Every key is read by itself, so
// dialects may be mixed. fp16 and bf16 become fp32; [r,in,1,1] of a linear layer is squeezed; peft's rank-stabilised scale alpha
// / sqrt(r), and a file's `scalar`, are folded into alpha, a convolution's `lora_mid` into down. A layer of alpha 0 is off, on
// purpose unlike sd-scripts and LyCORIS, which take 0 as the rank. Throws Error naming file and module: keys that fit nothing
// (with a guess what the file is for; allow_unmatched skips them and lists them in coverage), faults, a DoRA's magnitudes that
// belong to no layer (always), files of another kind (io/file_kind.h), a file in which nothing fits.
LoraFile read_lora(const std::filesystem::path& path, const LoraTargets& targets, bool allow_unmatched = false);

// The same, but all that read_lora would refuse is only noted in coverage; modules holds what is sound. For `lora inspect`.
LoraFile survey_lora(const std::filesystem::path& path, const LoraTargets& targets);

// The safetensors files that a LoRA path means: itself, the one in the folder, or one for each component. Throws ErrorKind::input
// for other folders.
std::vector<std::filesystem::path> lora_weights_paths(const std::filesystem::path& path);

}  // namespace negativa
