#include "io/sgm_file.h"

#include "base/json.h"
#include "base/names.h"
#include "io/keys/open_clip.h"
#include "io/keys/sgm_unet.h"
#include "io/keys/sgm_vae.h"
#include "io/model_config.h"
#include "io/prediction_marks.h"

namespace negativa {

namespace {

constexpr int fused_thirds = 3;
constexpr const char* weight_parts[] = {names::unet, names::vae, names::text_encoder, names::text_encoder_2};

std::string prefix_of(const std::string& part, bool is_refiner) {
  if (part == names::unet) return "model.diffusion_model.";
  if (part == names::vae) return "first_stage_model.";
  if (part == names::text_encoder) return "conditioner.embedders.0.transformer.";
  return is_refiner ? "conditioner.embedders.0.model." : "conditioner.embedders.1.model.";
}

// As many as the part's own names say.
int clip_layers(const std::vector<std::string>& names) {
  int layers = 0;
  while (has_module(names, fmt::format("text_model.encoder.layers.{}", layers))) ++layers;
  return layers;
}

KeyPairs pairs_of(const std::string& part, const Weights& weights) {
  std::vector<std::string> our_names;
  for (const auto& [name, source] : weights) our_names.push_back(name);  // sorted, as the map is
  if (part == names::unet) return sgm_unet_pairs(unet_layout(our_names));
  if (part == names::vae) return sgm_vae_pairs(vae_layout(our_names));
  if (part == names::text_encoder) return {{"text_model", "text_model"}};
  return open_clip_pairs(clip_layers(our_names));
}

Shape shape_in_file(const SgmTensor& tensor) {
  auto shape = tensor.sources.front().shape();
  for (size_t i = 1; i < tensor.sources.size(); ++i) shape[0] += tensor.sources[i].shape()[0];
  if (tensor.transpose && shape.size() == 2) std::swap(shape[0], shape[1]);
  if (tensor.unsqueeze && shape.size() == 2) shape.insert(shape.end(), {1, 1});
  return shape;
}

void add_part(std::map<std::string, SgmTensor>& tensors, const ModelFiles& model, const std::string& part, bool is_refiner) {
  const auto weights = model.weights(part);
  const KeyMap map(pairs_of(part, weights), KeyMap::to_theirs);
  const auto prefix = prefix_of(part, is_refiner);
  for (const auto& [name, source] : weights) {
    const auto found = map.find(name);
    check(found.size() == 1, ErrorKind::missing_key, "[{}: {}] has {}, which has no name in a single file", model.name, part,
          name);
    const KeyPair& pair = found.front();
    auto& tensor = tensors[prefix + pair.theirs];
    tensor.part = part;
    tensor.name = pair.theirs;
    tensor.transpose = pair.transpose;
    tensor.unsqueeze = pair.squeeze;
    const size_t place = pair.third < 0 ? 0 : static_cast<size_t>(pair.third);
    tensor.sources.resize(std::max<size_t>(tensor.sources.size(), pair.third < 0 ? 1 : fused_thirds));
    tensor.sources[place] = source;
  }
}

void finish(const std::string& key, SgmTensor& tensor) {
  for (const auto& source : tensor.sources) {
    check(source.file != nullptr, ErrorKind::missing_key, "[{}] needs q, k and v, one of which is missing; is the model whole?",
          key);
    check(
        source.shape().size() == tensor.sources.front().shape().size() && !(tensor.sources.size() > 1 && source.shape().empty()),
        ErrorKind::shape, "[{}] is made of q, k and v of different shapes", key);
  }
  tensor.dtype = tensor.sources.front().plain_dtype();
  for (const auto& source : tensor.sources)
    if (source.plain_dtype() != tensor.dtype) tensor.dtype = at::kFloat;
  tensor.shape = shape_in_file(tensor);
}

// nlohmann writes null for what JSON lacks, so such a config stays the text that it is.
Json config_in_metadata(const std::string& text, const std::string& where) {
  const Json config = parse_json(text, where);
  try {
    canonical_json(config);
  } catch (const Error&) {
    return text;
  }
  return config;
}

}  // namespace

Tensor SgmTensor::load() const {
  std::vector<Tensor> rows;
  // Bytes, since not every operator knows every format.
  for (const auto& source : sources) rows.push_back(source.load(dtype).contiguous());
  Tensor joined = rows.front();
  if (rows.size() > 1) {
    for (auto& one : rows) one = one.view(at::kByte);
    joined = at::cat(rows).view(dtype);
  }
  if (transpose && joined.dim() == 2) joined = joined.t().contiguous();
  return joined.view(shape);
}

std::map<std::string, SgmTensor> sgm_tensors(const ModelFiles& model) {
  const bool is_refiner = !model.has(names::text_encoder);
  std::map<std::string, SgmTensor> tensors;
  for (const char* part : weight_parts)
    if (model.has(part)) add_part(tensors, model, part, is_refiner);
  for (auto& [key, tensor] : tensors) finish(key, tensor);
  return tensors;
}

std::map<std::string, Tensor> sgm_marks(const ModelFiles& model) {
  return prediction_mark_tensors(model.config_json(names::scheduler),
                                 model.has(names::vae) ? model.config_json(names::vae) : std::string("{}"));
}

Metadata sgm_metadata(const ModelFiles& model) {
  Json configs;
  for (const char* part : {names::unet, names::vae, names::text_encoder, names::text_encoder_2, names::scheduler})
    if (model.has(part)) configs[part] = config_in_metadata(model.config_json(part), model.config_name(part));
  const std::string index =
      model.has("model_index") ? model.config_json("model_index") : model_index_json(!model.has(names::text_encoder));
  configs["model_index"] = config_in_metadata(index, model.config_name("model_index"));
  return {{"format", "pt"}, {"negativa.config", configs.dump()}};
}

}  // namespace negativa
