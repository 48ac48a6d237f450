#include "pipeline/models.h"

#include <set>

#include "base/config_reader.h"
#include "base/names.h"
#include "core/memory.h"
#include "text/text_models.h"

namespace negativa {

namespace {

constexpr const char* of_refiner = "refiner/";

ModelFacts read_facts(const ModelFiles& files, const PredictionRequest& asked) {
  const ConfigReader index(files.config_json("model_index"), files.config_name("model_index"));
  return {UNetConfig::from_json(files.config_json("unet"), files.config_name("unet")),
          scheduler_config_from_json(files.config_json("scheduler"), files.config_name("scheduler"), asked),
          index.get("force_zeros_for_empty_prompt", true)};
}

// How latents are scaled belongs to the UNet, whoever decodes them: Playground 2.5 also draws with SDXL's VAE.
void take_latent_scale(const ModelFiles& of_model, VaeConfig& vae) {
  const auto own = VaeConfig::from_json(of_model.config_json("vae"), of_model.config_name("vae"));
  if (own.latents_mean.empty() || own.latents_std.empty()) return;
  vae.latents_mean = own.latents_mean;
  vae.latents_std = own.latents_std;
  vae.scaling_factor = own.scaling_factor;
}

// A single-file VAE that has only half of SDXL's parts must not pass: the VAE decides the latents' channels and factor.
void check_fits(const VaeConfig& vae, const UNetConfig& unet) {
  check(vae.latent_channels == unet.in_channels, ErrorKind::shape,
        "[vae] makes latents of {} channels, the UNet expects {}; try the model's own VAE", vae.latent_channels,
        unet.in_channels);
}

}  // namespace

Models::Models(ModelRequest request) : request_(std::move(request)), files_(open_model(request_.model)) {
  facts_ = read_facts(files_, request_.prediction);
  is_small_ = is_small_unet(facts_.unet);
  if (request_.refiner) {
    refiner_files_ = open_model(*request_.refiner);
    refiner_facts_ = read_facts(*refiner_files_, {});
  }
  if (request_.vae) vae_files_ = open_vae(*request_.vae);
  check(vae_files_ || files_.has("vae"), ErrorKind::input, "[{}] holds no VAE; give one with --vae", files_.path.string());
  vae_config_ = vae_files_ ? VaeConfig::from_json(vae_files_->config_json, vae_files_->config_name)
                           : VaeConfig::from_json(files_.config_json("vae"), files_.config_name("vae"));
  if (vae_files_ && facts_.scheduler.edm && vae_config_.latents_mean.empty() && files_.has("vae"))
    take_latent_scale(files_, vae_config_);
  check_parts_fit();
  for (const auto& [part, weights] : weights()) check_part(part, weights);
  open_parts();
}

void Models::check_parts_fit() const {
  const auto check_text = [](const ModelFiles& files, const UNetConfig& unet) {
    check_text_fits(files,
                    {unet.cross_attention_dim(), unet.projection_class_embeddings_input_dim, unet.addition_time_embed_dim});
    for (const char* tokenizer : {names::tokenizer, names::tokenizer_2})
      if (files.has(tokenizer)) files.tokenizer_folder(tokenizer);
  };
  facts_.unet.check_draws_from_text(files_.path.string());
  check_text(files_, facts_.unet);
  check_fits(vae_config_, facts_.unet);
  if (!refiner_facts_) return;
  refiner_facts_->unet.check_draws_from_text(refiner_files_->path.string());
  check(refiner_facts_->unet.in_channels == facts_.unet.in_channels, ErrorKind::shape,
        "[refiner] works on {} latent channels, the base on {}", refiner_facts_->unet.in_channels, facts_.unet.in_channels);
  check_text(*refiner_files_, refiner_facts_->unet);
}

void Models::check_part(const std::string& part, const Weights& weights) const {
  const bool is_of_refiner = part.starts_with(of_refiner);
  const std::string name = is_of_refiner ? part.substr(std::string_view(of_refiner).size()) : part;
  const auto storage = storage_of(part, weights);
  if (storage == at::kFloat8_e4m3fn ||
      storage == at::kFloat8_e5m2)  // a recipe's word for what a file is; rounding to it is not done here
    for (const auto& [key, source] : weights)
      check(source.dtype() == *storage, ErrorKind::input,
            "[--weights-dtype] got {} for {}, whose file keeps {}; that is for files that keep it themselves, try int8",
            dtype_name(*storage), part, dtype_name(source.dtype()));
  if (name == names::vae) return Vae::check_weights(vae_config_, weights);
  if (name == names::unet) return UNet::check_weights(is_of_refiner ? refiner_facts_->unet : facts_.unet, weights, part);
  CLIPTextModel::check_weights(part, text_config(is_of_refiner ? *refiner_files_ : files_, name), weights);
}

std::optional<DType> Models::storage_of(const std::string& part, const Weights& weights) const {
  const auto asked = request_.part_storage.find(part);
  return asked != request_.part_storage.end() ? asked->second : storage_or_default(request_.storage, weights, request_.compute);
}

nn::LoadOptions Models::load_options(const std::string& part, const Weights& weights, const CancelToken* cancel) const {
  nn::LoadOptions options;
  options.storage = storage_of(part, weights);
  options.device = request_.device;
  options.pack_small = true;
  options.cancel = cancel;
  return options;
}

void Models::open_parts() {
  const auto load_unet = [this](const ModelFiles& files, const ModelFacts& facts, const std::string& prefix,
                                const CancelToken* cancel) {
    auto unet = std::make_shared<UNet>(facts.unet);
    const auto weights = files.weights("unet");
    unet->load(weights, load_options(prefix + "unet", weights, cancel));
    return unet;
  };
  const auto load_text = [this](const ModelFiles& files, const std::string& prefix, const CancelToken* cancel) {
    const auto options = [&](const std::string& part, const Weights& weights) {
      return load_options(prefix + part, weights, cancel);
    };
    return std::make_shared<TextModels>(load_text_models(files, options));
  };
  text_.load = [=, this](const CancelToken* cancel) { return load_text(files_, "", cancel); };
  unet_.load = [=, this](const CancelToken* cancel) { return load_unet(files_, facts_, "", cancel); };
  refiner_text_.load = [=, this](const CancelToken* cancel) { return load_text(*refiner_files_, of_refiner, cancel); };
  refiner_unet_.load = [=, this](const CancelToken* cancel) {
    return load_unet(*refiner_files_, *refiner_facts_, of_refiner, cancel);
  };
  vae_.load = [this](const CancelToken* cancel) {
    auto vae = std::make_shared<Vae>(vae_config_);
    const auto weights = vae_files_ ? vae_files_->weights : files_.weights("vae");
    vae->load(weights, load_options("vae", weights, cancel));
    return vae;
  };
}

template <class Module>
const Module& Models::get(Part<Module>& part, const CancelToken* cancel) {
  const std::lock_guard lock(mutex_);
  if (part.module) return *part.module;
  if (!keeps_parts()) {
    text_.module.reset();
    unet_.module.reset();
    refiner_text_.module.reset();
    refiner_unet_.module.reset();
    vae_.module.reset();
    trim_heap();
  }
  std::optional<LargeBlocks>
      blocks;  // between the copies that loading makes and drops, a heap ends up a third larger than what it holds
  if (!keeps_parts()) blocks.emplace();
  part.module = part.load(cancel);
  ++loads_[part.name];
  return *part.module;
}

template const TextModels& Models::get(Part<TextModels>&, const CancelToken*);
template const UNet& Models::get(Part<UNet>&, const CancelToken*);
template const Vae& Models::get(Part<Vae>&, const CancelToken*);

void Models::lend_unet(std::shared_ptr<const UNet> unet) {
  unet_.load = [unet = std::move(unet)](const CancelToken*) { return unet; };
}

std::map<std::string, Weights> Models::weights() const {
  std::map<std::string, Weights> parts{{"vae", vae_files_ ? vae_files_->weights : files_.weights("vae")}};
  const auto add = [&](const ModelFiles& files, const std::string& prefix) {
    for (const char* part : {"text_encoder", "text_encoder_2", "unet"})
      if (files.has(part)) parts.emplace(prefix + part, files.weights(part));
  };
  add(files_, "");
  if (refiner_files_) add(*refiner_files_, of_refiner);
  return parts;
}

int64_t Models::weight_bytes() const {
  int64_t bytes = 0;
  for (const auto& [part, weights] : weights()) bytes += weight_bytes(part, weights);
  return bytes;
}

std::string Models::weights_dtype() const {
  std::set<std::string> different;
  std::string by_part;
  for (const auto& [part, weights] : weights()) {
    const auto storage = storage_of(part, weights);
    std::set<std::string> names;
    for (const auto& [key, source] : weights) names.insert(dtype_name(storage.value_or(source.dtype())));
    const std::string name = names.size() == 1 ? *names.begin() : "file";
    different.insert(name);
    by_part += (by_part.empty() ? "" : ",") + part + ":" + name;
  }
  return different.size() == 1 && !different.contains("file") ? *different.begin() : by_part;
}

EmbeddingWidths Models::embedding_widths() const {
  EmbeddingWidths widths{{}, text_config(files_, "text_encoder_2").hidden_size};
  if (files_.has("text_encoder")) widths.clip_l = text_config(files_, "text_encoder").hidden_size;
  return widths;
}

LoraTargets lora_targets(const ModelFiles& files) {
  LoraTargets targets;
  UNet unet(UNetConfig::from_json(files.config_json("unet"), files.config_name("unet")));
  targets.add("unet", nn::walk(unet));
  for (const char* part : {"text_encoder", "text_encoder_2"}) {
    if (!files.has(part)) continue;
    CLIPTextModel encoder(text_config(files, part));
    // Pictures read the last layer but one of either encoder, and the pooled vector of the second, which has passed all its
    // layers.
    const std::string last = fmt::format("text_model.encoder.layers.{}.", encoder.config.num_hidden_layers - 1);
    targets.add(part, nn::walk(encoder), encoder.text_projection ? "" : last);
  }
  return targets;
}

}  // namespace negativa
