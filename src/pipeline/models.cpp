#include "pipeline/models.h"

#include <malloc.h>

#include "base/json.h"
#include "base/names.h"
#include "text/text_models.h"

namespace negativa {

namespace {

ModelFacts read_facts(const ModelFiles& files) {
  const auto index = parse_json(files.config_json("model_index"), files.name + "/" + names::model_index);
  return {UNetConfig::from_json(files.config_json("unet"), files.name + "/unet/config.json"),
          scheduler_config_from_json(files.config_json("scheduler")), get_or(index, "force_zeros_for_empty_prompt", true, names::model_index)};
}

// A single-file VAE that has only half of SDXL's parts must not pass: the VAE decides the latents' channels and factor.
void check_fits(const VaeConfig& vae, const UNetConfig& unet) {
  check(vae.latent_channels == unet.in_channels, ErrorKind::shape, "[vae] makes latents of {} channels, the UNet expects {}; try the model's own VAE",
        vae.latent_channels, unet.in_channels);
}

}  // namespace

Models::Models(ModelRequest request) : request_(std::move(request)), files_(open_model(request_.model)) {
  facts_ = read_facts(files_);
  is_small_ = is_small_unet(facts_.unet);
  if (request_.refiner) {
    refiner_files_ = open_model(*request_.refiner);
    refiner_facts_ = read_facts(*refiner_files_);
    check(refiner_facts_->unet.in_channels == facts_.unet.in_channels, ErrorKind::shape, "[refiner] works on {} latent channels, the base on {}",
          refiner_facts_->unet.in_channels, facts_.unet.in_channels);
  }
  if (request_.vae) vae_files_ = open_vae(*request_.vae);
  vae_config_ = VaeConfig::from_json(vae_files_ ? vae_files_->config_json : files_.config_json("vae"), "vae/config.json");
  check_fits(vae_config_, facts_.unet);
  open_parts();
}

std::optional<DType> Models::storage_of(const Weights& weights) const { return storage_or_default(request_.storage, weights, request_.compute); }

nn::LoadOptions Models::load_options(const Weights& weights) const {
  nn::LoadOptions options;
  options.storage = storage_of(weights);
  options.device = request_.device;
  options.for_inference = true;
  return options;
}

void Models::open_parts() {
  const auto load_unet = [this](const ModelFiles& files, const ModelFacts& facts) {
    auto unet = std::make_shared<UNet>(facts.unet);
    const auto weights = files.weights("unet");
    unet->load(weights, load_options(weights));
    return unet;
  };
  const auto load_text = [this](const ModelFiles& files) {
    return std::make_shared<TextModels>(load_text_models(files, [this](const Weights& weights) { return load_options(weights); }));
  };
  text_.load = [=, this] { return load_text(files_); };
  unet_.load = [=, this] { return load_unet(files_, facts_); };
  refiner_text_.load = [=, this] { return load_text(*refiner_files_); };
  refiner_unet_.load = [=, this] { return load_unet(*refiner_files_, *refiner_facts_); };
  vae_.load = [this] {
    auto vae = std::make_shared<Vae>(vae_config_);
    const auto weights = vae_files_ ? vae_files_->weights : files_.weights("vae");
    vae->load(weights, load_options(weights));
    return vae;
  };
}

template <class Module>
const Module& Models::get(Part<Module>& part) {
  const std::lock_guard lock(mutex_);
  if (part.module) return *part.module;
  if (!keeps_parts()) {
    text_.module.reset();
    unet_.module.reset();
    refiner_text_.module.reset();
    refiner_unet_.module.reset();
    vae_.module.reset();
    malloc_trim(0);  // the heap keeps freed weights otherwise, on top of the next part
  }
  part.module = part.load();
  ++loads_[part.name];
  return *part.module;
}

template const TextModels& Models::get(Part<TextModels>&);
template const UNet& Models::get(Part<UNet>&);
template const Vae& Models::get(Part<Vae>&);

void Models::lend_unet(std::shared_ptr<const UNet> unet) {
  unet_.load = [unet = std::move(unet)] { return unet; };
}

int64_t Models::weight_bytes() const {
  const auto held = [this](const Weights& weights) { return bytes_of(weights, storage_of(weights)); };
  int64_t bytes = held(vae_files_ ? vae_files_->weights : files_.weights("vae"));
  const auto add = [&](const ModelFiles& files) {
    for (const char* part : {"text_encoder", "text_encoder_2", "unet"})
      if (files.has(part)) bytes += held(files.weights(part));
  };
  add(files_);
  if (refiner_files_) add(*refiner_files_);
  return bytes;
}

EmbeddingWidths Models::embedding_widths() const {
  EmbeddingWidths widths{{}, text_config(files_, "text_encoder_2").hidden_size};
  if (files_.has("text_encoder")) widths.clip_l = text_config(files_, "text_encoder").hidden_size;
  return widths;
}

LoraTargets lora_targets(const ModelFiles& files) {
  LoraTargets targets;
  UNet unet(UNetConfig::from_json(files.config_json("unet"), files.name + "/unet/config.json"));
  targets.add("unet", nn::walk(unet));
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    if (!files.has(part)) continue;
    CLIPTextModel encoder(text_config(files, part));
    targets.add(part, nn::walk(encoder));
  }
  return targets;
}

}  // namespace negativa
