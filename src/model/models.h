#pragma once
// An opened model, for drawing and for training alike: a base and, if asked for, a refiner. Files are opened and checked at once;
// weights are loaded when their stage begins and freed when it is over, unless they are kept.
#include <atomic>
#include <mutex>

#include "base/cancel.h"
#include "base/places.h"
#include "io/model_files.h"
#include "model/part.h"
#include "schedule/noise_schedule.h"
#include "text/prompt_encoder.h"
#include "unet/unet.h"
#include "vae/vae.h"

namespace negativa {

struct ModelRequest {
  std::filesystem::path model;
  std::optional<std::filesystem::path> refiner;
  std::optional<std::filesystem::path> vae;   // another VAE than the model's
  std::optional<std::filesystem::path> unet;  // another UNet than the base's
  DType compute = at::kFloat;
  std::optional<DType> vae_compute;  // of the VAE; absent: as `compute`
  std::optional<DType> storage;  // of all weights; absent: as in the files, parts under 1 GiB in the compute dtype; fp8: of fp8
                                 // files only
  std::map<Part, std::optional<DType>> part_storage;  // over `storage`; absent value: as in the file
  at::Device device = at::kCPU;
  PredictionRequest prediction;    // over what the base's files say
  std::optional<bool> keep_parts;  // loaded parts stay; absent: those of a small model do, and of one within keep_bytes
  int64_t keep_bytes = 0;
  bool pack_large_unet = true;  // small fp32 weights of a large UNet once more, as CPU kernels want them; of other parts always
  std::function<std::shared_ptr<void>()> while_loading;  // what it returns is held while a large part is loaded; may be empty
};

// What is known of a model before any weight is loaded.
struct ModelFacts {
  UNetConfig unet;
  SchedulerConfig scheduler;
  bool zero_negative = false;  // force_zeros_for_empty_prompt: an absent negative prompt is an embedding of zeros
};

// Safe to use from several threads.
class Models {
 public:
  // Opens files, checks configs, and name, shape and number format of every tensor of every part; loads no weights. Throws as
  // open_model and the config readers do.
  explicit Models(ModelRequest request, const Places& places = {});

  const ModelRequest& request() const { return request_; }
  const ModelFacts& facts() const { return facts_; }
  const std::optional<ModelFacts>& refiner_facts() const { return refiner_facts_; }
  const VaeConfig& vae_config() const { return vae_config_; }
  const ModelFiles& files() const { return files_; }
  const std::optional<ModelFiles>& refiner_files() const { return refiner_files_; }
  const std::optional<VaeFiles>& vae_files() const { return vae_files_; }  // absent: the VAE is the model's own

  // Under 100 million UNet parameters, a single-thread worker a picture beats several threads on one picture.
  // It follows from the config alone, because threads decide the last bits of a picture.
  bool is_small() const { return is_small_; }
  bool keeps_parts() const { return keeps_parts_; }

  // Each loads its part if need be. Unless keeps_parts(), this object lets go of the others first; what a caller holds stays.
  // `cancel` is asked before each tensor; an interrupted part is as if it had never been asked for.
  std::shared_ptr<const TextModels> text(const CancelToken* cancel = nullptr) { return get(text_, cancel); }
  std::shared_ptr<const UNet> unet(const CancelToken* cancel = nullptr) { return get(unet_, cancel); }
  std::shared_ptr<const TextModels> refiner_text(const CancelToken* cancel = nullptr) { return get(refiner_text_, cancel); }
  std::shared_ptr<const UNet> refiner_unet(const CancelToken* cancel = nullptr) { return get(refiner_unet_, cancel); }
  std::shared_ptr<const Vae> vae(const CancelToken* cancel = nullptr) { return get(vae_, cancel); }

  // Lets go of all parts; they are loaded again when they are asked for.
  void release();
  // Bytes of the parts that are held here now.
  int64_t held_bytes() const { return held_bytes_; }

  // Uses this UNet, of the same config, instead of loading one: previews of a training. Before any other thread uses this object.
  void lend_unet(std::shared_ptr<const UNet> unet);

  // Widths of the base's token embeddings, for reading textual inversion files.
  EmbeddingWidths embedding_widths() const;
  // How often each part was loaded: "unet", "refiner_unet", "text" …
  std::map<std::string, int> loads() const;
  // The weights of each part that the model has.
  std::map<Part, Weights> weights() const;
  Weights weights(Part part) const;
  bool has(Part part) const;
  // In which number format a part's weights lie in memory; absent: as in its file.
  std::optional<DType> storage_of(Part part, const Weights& weights) const;
  // Bytes of one of them as it will lie in memory; and of all.
  int64_t weight_bytes(Part part, const Weights& weights) const { return bytes_of(weights, storage_of(part, weights)); }
  int64_t weight_bytes() const;
  // What weights are in memory: "fp16" where all parts agree, else "text_encoder:fp32,unet:fp16,…"; "file" where a file mixes
  // formats.
  std::string weights_dtype() const;

 private:
  template <class Module>
  struct Loaded {
    const char* name;
    std::function<std::shared_ptr<const Module>(const CancelToken*)> load;
    std::shared_ptr<const Module> module;
    std::vector<Part> parts;
  };
  template <class Module>
  std::shared_ptr<const Module> get(Loaded<Module>& part, const CancelToken* cancel);
  std::shared_ptr<const UNet> load_unet(Part part, const CancelToken* cancel) const;
  std::shared_ptr<const TextModels> load_text(bool of_refiner, const CancelToken* cancel) const;
  std::shared_ptr<const Vae> load_vae(const CancelToken* cancel) const;
  nn::LoadOptions load_options(Part part, const Weights& weights, const CancelToken* cancel) const;
  const ModelFiles& files_of(Part part) const { return is_of_refiner(part) ? *refiner_files_ : files_; }
  const ModelFacts& facts_of(Part part) const { return is_of_refiner(part) ? *refiner_facts_ : facts_; }
  void let_go();
  void check_part(Part part, const Weights& weights) const;
  void check_parts_fit() const;

  const ModelRequest request_;
  ModelFiles files_;
  std::optional<ModelFiles> refiner_files_;
  std::optional<VaeFiles> vae_files_;
  ModelFacts facts_;
  std::optional<ModelFacts> refiner_facts_;
  VaeConfig vae_config_;
  mutable std::mutex mutex_;  // of what is loaded
  bool is_small_ = false, keeps_parts_ = false;
  std::map<std::string, int> loads_;
  std::atomic<int64_t> held_bytes_ = 0;  // read while a part is loaded, too
  Loaded<TextModels> text_, refiner_text_;
  Loaded<UNet> unet_, refiner_unet_;
  Loaded<Vae> vae_;
};

}  // namespace negativa
