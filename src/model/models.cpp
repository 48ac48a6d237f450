#include "model/models.h"

#include <set>

#include "base/config_reader.h"
#include "base/names.h"
#include "core/memory.h"
#include "nn/cpu_kernels.h"
#include "text/text_models.h"

namespace negativa {

namespace {

ModelFacts read_facts(const ModelFiles& files, const PredictionRequest& asked) {
  const ConfigReader index(files.config_json("model_index"), files.config_name("model_index"));
  return {UNetConfig::from_json(files.config_json(names::unet), files.config_name(names::unet)),
          scheduler_config_from_json(files.config_json(names::scheduler), files.config_name(names::scheduler), asked),
          index.get("force_zeros_for_empty_prompt", true)};
}

// How latents are scaled belongs to the UNet, whoever decodes them: Playground 2.5 also draws with SDXL's VAE.
void take_latent_scale(const ModelFiles& of_model, VaeConfig& vae) {
  const auto own = VaeConfig::from_json(of_model.config_json(names::vae), of_model.config_name(names::vae));
  if (own.latents_mean.empty() || own.latents_std.empty()) return;
  vae.latents_mean = own.latents_mean;
  vae.latents_std = own.latents_std;
  vae.scaling_factor = own.scaling_factor;
}

// A VAE given in place of the model's own, whose config may be broken: then there is nothing to compare with.
void check_same_factor(const ModelFiles& of_model, const VaeConfig& given, const std::string& name) {
  std::optional<VaeConfig> own;
  try {
    own = VaeConfig::from_json(of_model.config_json(names::vae), of_model.config_name(names::vae));
  } catch (const Error&) {
    return;
  }
  check(given.factor() == own->factor(), ErrorKind::shape,
        "[vae] {} works on latents of 1/{} of a picture's side, the model's own VAE on 1/{}; it is for another model", name,
        given.factor(), own->factor());
}

// A single-file VAE that has only half of SDXL's parts must not pass: the VAE decides the latents' channels and factor.
void check_fits(const VaeConfig& vae, const UNetConfig& unet) {
  check(vae.latent_channels == unet.in_channels, ErrorKind::shape,
        "[vae] makes latents of {} channels, the UNet expects {}; try the model's own VAE", vae.latent_channels,
        unet.in_channels);
}

}  // namespace

Models::Models(ModelRequest request, const Places& places)
    : request_(std::move(request)), files_(open_model(request_.model, places)) {
  if (request_.unet) files_.take_unet(open_unet(*request_.unet));
  facts_ = read_facts(files_, request_.prediction);
  is_small_ = is_small_unet(facts_.unet);
  if (request_.refiner) {
    refiner_files_ = open_model(*request_.refiner, places);
    refiner_facts_ = read_facts(*refiner_files_, {});
  }
  if (request_.vae) vae_files_ = open_vae(*request_.vae);
  check(vae_files_ || files_.has(names::vae), ErrorKind::input, "[{}] holds no VAE; give one with --vae", files_.path.string());
  vae_config_ = vae_files_ ? VaeConfig::from_json(vae_files_->config_json, vae_files_->config_name)
                           : VaeConfig::from_json(files_.config_json(names::vae), files_.config_name(names::vae));
  if (vae_files_ && facts_.scheduler.edm && vae_config_.latents_mean.empty() && files_.has(names::vae))
    take_latent_scale(files_, vae_config_);
  if (vae_files_ && files_.has(names::vae)) check_same_factor(files_, vae_config_, vae_files_->name);
  check_parts_fit();
  for (const auto& [part, weights] : weights()) check_part(part, weights);
  keeps_parts_ = request_.keep_parts.value_or(is_small_ || weight_bytes() <= request_.keep_bytes);
  text_ = {"text",
           [this](const CancelToken* cancel) { return load_text(false, cancel); },
           {},
           {Part::text_encoder, Part::text_encoder_2}};
  unet_ = {"unet", [this](const CancelToken* cancel) { return load_unet(Part::unet, cancel); }, {}, {Part::unet}};
  refiner_text_ = {"refiner_text",
                   [this](const CancelToken* cancel) { return load_text(true, cancel); },
                   {},
                   {Part::refiner_text_encoder, Part::refiner_text_encoder_2}};
  refiner_unet_ = {"refiner_unet",
                   [this](const CancelToken* cancel) { return load_unet(Part::refiner_unet, cancel); },
                   {},
                   {Part::refiner_unet}};
  vae_ = {"vae", [this](const CancelToken* cancel) { return load_vae(cancel); }, {}, {Part::vae}};
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

void Models::check_part(Part part, const Weights& weights) const {
  const auto storage = storage_of(part, weights);
  if (storage && is_fp8(*storage))  // a recipe's word for what a file is; rounding to it is not done here
    for (const auto& [key, source] : weights)
      check(source.dtype() == *storage, ErrorKind::input,
            "[--weights-dtype] got {} for {}, whose file keeps {}; that is for files that keep it themselves, try int8",
            dtype_name(*storage), part_name(part), dtype_name(source.dtype()));
  if (part == Part::vae) return Vae::check_weights(vae_config_, weights);
  if (!is_text_encoder(part)) return UNet::check_weights(facts_of(part).unet, weights, part_name(part));
  CLIPTextModel::check_weights(part_name(part), text_config(files_of(part), part_in_files(part)), weights);
}

std::optional<DType> Models::storage_of(Part part, const Weights& weights) const {
  const auto asked = request_.part_storage.find(part);
  if (asked != request_.part_storage.end()) return asked->second;
  const DType compute = part == Part::vae ? request_.vae_compute.value_or(request_.compute) : request_.compute;
  return storage_or_default(request_.storage, weights, compute);
}

nn::LoadOptions Models::load_options(Part part, const Weights& weights, const CancelToken* cancel) const {
  nn::LoadOptions options;
  options.storage = storage_of(part, weights);
  options.device = request_.device;
  options.pack_small = is_small_ || request_.pack_large_unet || is_text_encoder(part) || part == Part::vae;
  options.cancel = cancel;
  return options;
}

std::shared_ptr<const UNet> Models::load_unet(Part part, const CancelToken* cancel) const {
  auto unet = std::make_shared<UNet>(facts_of(part).unet);
  const auto weights = this->weights(part);
  unet->load(weights, load_options(part, weights, cancel));
  return unet;
}

std::shared_ptr<const TextModels> Models::load_text(bool of_refiner, const CancelToken* cancel) const {
  const std::string prefix = of_refiner ? "refiner/" : "";
  const auto options = [&](const std::string& name, const Weights& weights) {
    return load_options(*part_from_name(prefix + name), weights, cancel);
  };
  return std::make_shared<TextModels>(load_text_models(of_refiner ? *refiner_files_ : files_, options));
}

std::shared_ptr<const Vae> Models::load_vae(const CancelToken* cancel) const {
  auto vae = std::make_shared<Vae>(vae_config_);
  const auto weights = this->weights(Part::vae);
  vae->load(weights, load_options(Part::vae, weights, cancel));
  return vae;
}

void Models::let_go() {
  text_.module.reset();
  unet_.module.reset();
  refiner_text_.module.reset();
  refiner_unet_.module.reset();
  vae_.module.reset();
  held_bytes_ = 0;
  nn::cpu::free_kept_memory();
  trim_heap();
}

template <class Module>
std::shared_ptr<const Module> Models::get(Loaded<Module>& part, const CancelToken* cancel) {
  const std::lock_guard lock(mutex_);
  if (part.module) return part.module;
  std::shared_ptr<void> held;
  if (!keeps_parts()) let_go();
  if (!is_small_ && request_.while_loading) held = request_.while_loading();
  part.module = part.load(cancel);
  ++loads_[part.name];
  for (const Part one : part.parts)
    if (has(one)) held_bytes_ += weight_bytes(one, weights(one));
  return part.module;
}

template std::shared_ptr<const TextModels> Models::get(Loaded<TextModels>&, const CancelToken*);
template std::shared_ptr<const UNet> Models::get(Loaded<UNet>&, const CancelToken*);
template std::shared_ptr<const Vae> Models::get(Loaded<Vae>&, const CancelToken*);

void Models::release() {
  const std::lock_guard lock(mutex_);
  let_go();
}

std::map<std::string, int> Models::loads() const {
  const std::lock_guard lock(mutex_);
  return loads_;
}

void Models::lend_unet(std::shared_ptr<const UNet> unet) {
  unet_.load = [unet = std::move(unet)](const CancelToken*) { return unet; };
}

bool Models::has(Part part) const {
  if (is_of_refiner(part) && !refiner_files_) return false;
  return (part == Part::vae && vae_files_) || files_of(part).has(part_in_files(part));
}

Weights Models::weights(Part part) const {
  return part == Part::vae && vae_files_ ? vae_files_->weights : files_of(part).weights(part_in_files(part));
}

std::map<Part, Weights> Models::weights() const {
  std::map<Part, Weights> parts;
  for (const Part part : all_parts)
    if (has(part)) parts.emplace(part, weights(part));
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
    by_part += fmt::format("{}{}:{}", by_part.empty() ? "" : ",", part_name(part), name);
  }
  return different.size() == 1 && !different.contains("file") ? *different.begin() : by_part;
}

EmbeddingWidths Models::embedding_widths() const {
  EmbeddingWidths widths{{}, text_config(files_, names::text_encoder_2).hidden_size};
  if (files_.has(names::text_encoder)) widths.clip_l = text_config(files_, names::text_encoder).hidden_size;
  return widths;
}

}  // namespace negativa
