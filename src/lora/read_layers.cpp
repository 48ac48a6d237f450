#include "lora/read_layers.h"

#include <cmath>

#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

constexpr std::string_view bundle = "bundle_emb.";

// One layer on its way from the file.
struct Reading {
  const TensorFile& file;
  const LayerPieces& found;
  const AdapterKind& kind;
  const AdapterConfig* config;  // nullptr: none

  bool has(const char* piece) const { return found.has(piece); }
  Tensor load(const std::string& piece) const { return file.load(*found.entries.at(piece), at::kFloat); }
  double number(const char* piece) const { return file.load(*found.entries.at(piece), at::kDouble).item<double>(); }
  int64_t rank() const { return kind.rank(found.shapes()); }
};

std::string type_fault(const LayerPieces& found) {
  for (const auto& [piece, entry] : found.entries)
    if (!at::isFloatingType(entry->dtype) && piece != "on_input" && piece != "alpha" && piece != "scalar")
      return fmt::format("{} holds {} elements, expected floating-point ones", found.target->name, dtype_name(entry->dtype));
  return {};
}

// Behind the layer's name: ": down is …" of a shape, " has …" of the rest.
std::string with_name(const std::string& name, const std::string& fault) {
  const bool is_verb = fault.starts_with("has ") || fault.starts_with("is ") || fault.starts_with("holds ");
  return fmt::format("{}{}{}", name, is_verb ? " " : ": ", fault);
}

std::string fault_of(const LayerPieces& found) {
  const auto& name = found.target->name;
  if (!found.again.empty()) return fmt::format("{} is in the file twice: {}", name, found.again.front()->name);
  if (auto text = type_fault(found); !text.empty()) return text;
  const auto text = found.fault();
  if (!text.empty()) return with_name(name, text);
  const bool magnitude = found.has("dora_scale") || found.has("magnitude");
  if (magnitude && !found.kind()->takes_magnitude)
    return fmt::format("{} is a {} with a DoRA's magnitude, which there is no such thing as", name, found.kind()->name);
  return {};
}

double alpha_of(const Reading& reading) {
  const int64_t rank = reading.rank();
  double alpha = static_cast<double>(rank);
  if (reading.has("alpha"))
    alpha = reading.number("alpha");
  else if (reading.config && &reading.kind == &lora_kind())
    alpha = reading.config->alpha(reading.found.target->name, rank);
  return alpha;
}

// Of the kind's matrices, or absent where they are of several.
std::optional<DType> stored_dtype(const Reading& reading) {
  std::optional<DType> stored;
  for (const auto& piece : reading.kind.pieces) {
    const auto found = reading.found.entries.find(piece);
    if (found == reading.found.entries.end() || piece == "on_input") continue;
    if (stored && *stored != found->second->dtype) return at::kFloat;
    stored = found->second->dtype;
  }
  return stored;
}

// [r, in k k] of down, with a Tucker core in it: W = up (mid down).
Tensor down_matrix(const Reading& reading, const Tensor& up) {
  const Tensor down = as_matrix(reading.load("lora_down"));
  if (!reading.has("lora_mid")) return down.reshape({up.size(1), -1}).contiguous();
  const Tensor mid = reading.load("lora_mid").to(at::kDouble);
  return at::einsum("pqhw,qi->pihw", {mid, down.to(at::kDouble)}).flatten(1).to(at::kFloat).contiguous();
}

LoraModule module_of(const Reading& reading, double alpha) {
  const auto& target = *reading.found.target;
  LoraModule module;
  module.up = as_matrix(reading.load("lora_up")).contiguous();
  module.down = down_matrix(reading, module.up);
  module.alpha = alpha;
  module.stored = stored_dtype(reading);
  module.is_read = target.is_read;
  module.kernel = target.kind == LoraTarget::Kind::convolution ? target.kernel : 0;
  return module;
}

// peft's vector is always one of outputs, a convolution's too ([1,out,1,1]), where kohya's shape would mean inputs: the name
// decides, since on square layers both have one shape.
std::optional<Magnitude> magnitude_of(const Reading& reading, std::string& fault) {
  const auto& target = *reading.found.target;
  if (reading.has("magnitude") && reading.has("dora_scale")) fault = "has two magnitudes";
  if (!reading.has("magnitude") && !reading.has("dora_scale")) return {};
  const char* name = reading.has("magnitude") ? "magnitude" : "dora_scale";
  const Shape& shape = reading.found.entries.at(name)->shape;
  const bool is_row = shape.size() >= 2 && shape[0] == 1 && shape[1] == target.in_features;
  const bool per_input = !reading.has("magnitude") && is_row && target.out_features != 1;
  const int64_t expected = per_input ? target.in_features : target.out_features;
  if (c10::multiply_integers(shape) != expected) fault = misshapen(name, shape, fmt::format("{} numbers", expected));
  return Magnitude{reading.load(name).flatten().contiguous(), per_input};
}

std::shared_ptr<LayerChange> change_of(const Reading& reading, double alpha, std::string& fault) {
  auto change = std::make_shared<LayerChange>();
  change->kind = &reading.kind;
  change->target = *reading.found.target;
  for (const auto& piece : reading.kind.pieces)
    if (reading.found.entries.contains(piece)) change->pieces.emplace(piece, reading.load(piece).contiguous());
  if (reading.has("diff_b")) change->bias = reading.load("diff_b").contiguous();
  change->alpha = alpha;
  change->rank = reading.rank();
  if (change->rank > 0) change->scale = alpha / static_cast<double>(change->rank);
  change->stored = stored_dtype(reading);
  change->magnitude = magnitude_of(reading, fault);
  if (fault.empty() && reading.kind.value_fault) fault = reading.kind.value_fault(*change);
  return change;
}

bool is_finite(const LayerChange& change) {
  const auto finite = [](const Tensor& tensor) { return !tensor.defined() || at::isfinite(tensor).all().item<bool>(); };
  for (const auto& [name, tensor] : change.pieces)
    if (!finite(tensor)) return false;
  return finite(change.bias) && (!change.magnitude || finite(change.magnitude->values)) && std::isfinite(change.alpha) &&
         std::isfinite(change.scale);
}

bool is_finite(const LoraModule& module) {
  return at::isfinite(module.down).all().item<bool>() && at::isfinite(module.up).all().item<bool>() &&
         std::isfinite(module.alpha);
}

// A difference of the bias that comes with a plain LoRA.
std::shared_ptr<LayerChange> bias_change(const Reading& reading) {
  auto change = std::make_shared<LayerChange>();
  change->kind = &difference_kind();
  change->target = *reading.found.target;
  change->bias = reading.load("diff_b").contiguous();
  change->stored = reading.found.entries.at("diff_b")->dtype;
  return change;
}

// The layer's part of `lora`; its fault, or nothing.
std::string load_layer(const Reading& reading, LoraFile& lora) {
  const auto& [component, name] = std::tie(reading.found.component, reading.found.target->name);
  const bool is_product = &reading.kind == &lora_kind();
  const bool has_magnitude = reading.has("magnitude") || reading.has("dora_scale");
  if (reading.config && reading.config->is_dora() && is_product && !has_magnitude)
    return fmt::format("{} is of a DoRA, as its config says, but has no magnitude", name);
  double alpha = alpha_of(reading);
  const double scalar = reading.has("scalar") ? reading.number("scalar") : 1;
  const bool is_off = alpha == 0 && (reading.has("alpha") || reading.rank() > 0);
  if (is_off || scalar == 0) {
    lora.coverage.off.push_back({component, name, reading.rank()});
    return {};
  }
  const std::string nan = fmt::format("{} holds NaN or infinity", name);
  if (is_product && !has_magnitude) {
    LoraModule module = module_of(reading, alpha * scalar);
    if (!is_finite(module)) return nan;
    lora.modules[component].emplace(name, std::move(module));
    if (!reading.has("diff_b")) return {};
    auto bias = bias_change(reading);
    if (!is_finite(*bias)) return nan;
    lora.changes[component].emplace(name, std::move(bias));
    return {};
  }
  std::string fault;
  auto change = change_of(reading, alpha, fault);
  change->scale *= scalar;
  if (!fault.empty()) return with_name(name, fault);
  if (!is_finite(*change)) return nan;
  lora.changes[component].emplace(name, std::move(change));
  return {};
}

struct BundledKey {
  std::string word;
  const char* part = nullptr;  // "clip_l", "clip_g"; nullptr: not understood
};

BundledKey bundled_key(const TensorEntry& entry) {
  const std::string rest = entry.name.substr(bundle.size());
  for (const char* part : {"clip_l", "clip_g"})
    if (const std::string end = std::string(".") + part; rest.ends_with(end))
      return {rest.substr(0, rest.size() - end.size()), part};
  for (const char* end : {".string_to_param.*", ".emb_params"})
    if (rest.ends_with(end)) return {rest.substr(0, rest.size() - std::string_view(end).size()), "clip_l"};
  return {};
}

}  // namespace

void load_layers(const TensorFile& file, const std::vector<LayerPieces>& layers, const AdapterConfigs& configs, LoraFile& lora) {
  for (const auto& found : layers) {
    std::string fault = fault_of(found);
    if (fault.empty()) fault = load_layer({file, found, *found.kind(), configs.of(found.component)}, lora);
    if (!fault.empty()) lora.coverage.faults.push_back({found.component, std::move(fault)});
  }
}

bool is_bundled(const std::string& key) { return key.starts_with(bundle); }

std::vector<BundledEmbedding> bundled_embeddings(const TensorFile& file, LoraCoverage& coverage) {
  std::map<std::string, BundledEmbedding> words;
  for (const auto& entry : file.entries()) {
    if (!is_bundled(entry.name)) continue;
    const auto [word, part] = bundled_key(entry);
    const bool is_vectors = !entry.shape.empty() && entry.shape.size() <= 2 && at::isFloatingType(entry.dtype);
    if (!part || word.empty() || !is_vectors) {
      coverage.unmatched.push_back(entry.name);
      continue;
    }
    auto& embedding = words[word];
    embedding.word = word;
    Tensor vectors = file.load(entry, at::kFloat);
    if (vectors.dim() == 1) vectors = vectors.unsqueeze(0);
    (part == std::string_view("clip_l") ? embedding.clip_l : embedding.clip_g) = vectors;
  }
  std::vector<BundledEmbedding> result;
  for (auto& [word, embedding] : words) result.push_back(std::move(embedding));
  return result;
}

}  // namespace negativa
