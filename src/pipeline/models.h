#pragma once
// The parts of a base model and, if asked for, a refiner: opened at once, loaded when their stage begins, freed when it is over.
#include <mutex>

#include "base/cancel.h"
#include "io/model_files.h"
#include "lora/lora_file.h"
#include "schedule/noise_schedule.h"
#include "text/prompt_encoder.h"
#include "unet/unet.h"
#include "vae/vae.h"

namespace negativa {

struct ModelRequest {
  std::filesystem::path model;
  std::optional<std::filesystem::path> refiner;
  std::optional<std::filesystem::path> vae;  // another VAE than the model's
  DType compute = at::kFloat;
  std::optional<DType>
      storage;  // of all weights; absent: as in the files, parts under 1 GiB in the compute dtype; fp8: of fp8 files only
  std::map<std::string, std::optional<DType>>
      part_storage;  // over `storage`, by part ("unet", "refiner/unet"); absent value: as in the file
  at::Device device = at::kCPU;
  PredictionRequest prediction;    // over what the base's files say
  std::optional<bool> keep_parts;  // loaded parts stay; absent: those of a small model do
};

// What is known of a model before any weight is loaded.
struct ModelFacts {
  UNetConfig unet;
  SchedulerConfig scheduler;
  bool zero_negative = false;  // force_zeros_for_empty_prompt: an absent negative prompt is an embedding of zeros
};

class Models {
 public:
  // Opens files, checks configs, and name, shape and number format of every tensor of every part; loads no weights. Throws as
  // open_model and the config readers do.
  explicit Models(ModelRequest request);

  const ModelRequest& request() const { return request_; }
  const ModelFacts& facts() const { return facts_; }
  const std::optional<ModelFacts>& refiner_facts() const { return refiner_facts_; }
  const VaeConfig& vae_config() const { return vae_config_; }
  const ModelFiles& files() const { return files_; }
  const std::optional<ModelFiles>& refiner_files() const { return refiner_files_; }

  // Under 100 million UNet parameters, a single-thread worker a picture beats several threads on one picture.
  // It follows from the config alone, because threads decide the last bits of a picture.
  bool is_small() const { return is_small_; }
  bool keeps_parts() const { return request_.keep_parts.value_or(is_small_); }

  // Each loads its part if need be. Unless keeps_parts(), the others are freed first, so a reference holds until the next such
  // call. `cancel` is asked before each tensor; an interrupted part is as if it had never been asked for.
  const TextModels& text(const CancelToken* cancel = nullptr) { return get(text_, cancel); }
  const UNet& unet(const CancelToken* cancel = nullptr) { return get(unet_, cancel); }
  const TextModels& refiner_text(const CancelToken* cancel = nullptr) { return get(refiner_text_, cancel); }
  const UNet& refiner_unet(const CancelToken* cancel = nullptr) { return get(refiner_unet_, cancel); }
  const Vae& vae(const CancelToken* cancel = nullptr) { return get(vae_, cancel); }

  // Uses this UNet, of the same config, instead of loading one: previews of a training.
  void lend_unet(std::shared_ptr<const UNet> unet);

  // Widths of the base's token embeddings, for reading textual inversion files.
  EmbeddingWidths embedding_widths() const;
  // How often each part was loaded: "unet", "refiner_unet", "text" …
  const std::map<std::string, int>& loads() const { return loads_; }
  // The weights of each part, by the names of ModelRequest::part_storage.
  std::map<std::string, Weights> weights() const;
  // Bytes of one of them as it will lie in memory; and of all.
  int64_t weight_bytes(const std::string& part, const Weights& weights) const {
    return bytes_of(weights, storage_of(part, weights));
  }
  int64_t weight_bytes() const;
  // What weights are in memory: "fp16" where all parts agree, else "text_encoder:fp32,unet:fp16,…"; "file" where a file mixes
  // formats.
  std::string weights_dtype() const;

 private:
  template <class Module>
  struct Part {
    const char* name;
    std::function<std::shared_ptr<const Module>(const CancelToken*)> load;
    std::shared_ptr<const Module> module;
  };
  template <class Module>
  const Module& get(Part<Module>& part, const CancelToken* cancel);
  nn::LoadOptions load_options(const std::string& part, const Weights& weights, const CancelToken* cancel) const;
  std::optional<DType> storage_of(const std::string& part, const Weights& weights) const;
  void open_parts();
  void check_part(const std::string& part, const Weights& weights) const;
  void check_parts_fit() const;

  const ModelRequest request_;
  ModelFiles files_;
  std::optional<ModelFiles> refiner_files_;
  std::optional<VaeFiles> vae_files_;
  ModelFacts facts_;
  std::optional<ModelFacts> refiner_facts_;
  VaeConfig vae_config_;
  std::mutex mutex_;
  bool is_small_ = false;
  std::map<std::string, int> loads_;
  Part<TextModels> text_{"text", {}, {}}, refiner_text_{"refiner_text", {}, {}};
  Part<UNet> unet_{"unet", {}, {}}, refiner_unet_{"refiner_unet", {}, {}};
  Part<Vae> vae_{"vae", {}, {}};
};

// The linear layers of base UNet and text encoders, for reading LoRA files; needs no weights.
LoraTargets lora_targets(const ModelFiles& files);

}  // namespace negativa
