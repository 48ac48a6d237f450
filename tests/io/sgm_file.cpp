#include "base/json.h"
#include "io/io_test.h"
#include "io/keys/open_clip.h"
#include "io/keys/sgm_unet.h"
#include "io/keys/sgm_vae.h"

namespace negativa {

namespace {
std::vector<std::string> names_of(const Weights& weights) {
  std::vector<std::string> names;
  for (const auto& [name, source] : weights) names.push_back(name);
  return names;
}

KeyPairs pairs_of(const std::string& part, const std::vector<std::string>& names) {
  if (part == "unet") return sgm_unet_pairs(unet_layout(names));
  if (part == "vae") return sgm_vae_pairs(vae_layout(names));
  if (part == "text_encoder") return {{"text_model", "text_model"}};
  return open_clip_pairs(100);
}

void add_part(std::map<std::string, Tensor>& tensors, const ModelFiles& model, const std::string& part,
              const std::string& prefix) {
  const auto weights = model.weights(part);
  const KeyMap map(pairs_of(part, names_of(weights)), KeyMap::to_theirs);
  for (const auto& [name, source] : weights) {
    const auto found = map.find(name);
    ASSERT_EQ(found.size(), 1u) << name;
    auto tensor = source.load({});
    if (found[0].transpose) tensor = tensor.t().contiguous();
    if (found[0].squeeze && tensor.dim() == 2) tensor = tensor.unsqueeze(2).unsqueeze(3);
    auto& target = tensors[prefix + found[0].theirs];
    if (found[0].third < 0) {
      target = tensor;
      continue;
    }
    auto shape = shape_of(tensor);
    shape[0] *= 3;
    if (!target.defined()) target = at::zeros(shape, tensor.options());
    target.chunk(3)[found[0].third].copy_(tensor);
  }
}
}  // namespace

void write_sgm_file(const ModelFiles& model, const std::filesystem::path& path, const Metadata& metadata) {
  std::map<std::string, Tensor> tensors;
  add_part(tensors, model, "unet", "model.diffusion_model.");
  add_part(tensors, model, "vae", "first_stage_model.");
  const bool is_refiner = !model.has("text_encoder");
  if (!is_refiner) add_part(tensors, model, "text_encoder", "conditioner.embedders.0.transformer.");
  add_part(tensors, model, "text_encoder_2", is_refiner ? "conditioner.embedders.0.model." : "conditioner.embedders.1.model.");
  // What published checkpoints carry besides weights.
  const std::string open_clip = is_refiner ? "conditioner.embedders.0.model." : "conditioner.embedders.1.model.";
  tensors[open_clip + "logit_scale"] = at::ones({});
  if (!is_refiner)
    tensors["conditioner.embedders.0.transformer.text_model.embeddings.position_ids"] = at::arange(77).unsqueeze(0);
  write_safetensors(path, tensors, metadata);
}

std::string configs_of(const ModelFiles& model) {
  Json configs;
  for (const std::string part : {"unet", "vae", "text_encoder", "text_encoder_2", "scheduler", "model_index"})
    if (model.has(part)) configs[part] = parse_json(model.config_json(part), part);
  return configs.dump();
}

}  // namespace negativa
