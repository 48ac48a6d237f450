#include "train/lora_parameters.h"

#include <algorithm>

#include "base/derived_seed.h"

namespace negativa {

namespace {

bool ends_with_any(const std::string& name, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
}

// [r, fan_in] and [out, r] of a convolution as its kernels.
Tensor as_down(const TrainedModule& module, const Tensor& matrix) {
  const int64_t k = module.target.kernel;
  return module.is_convolution() ? matrix.view({module.rank, -1, k, k}) : matrix;
}
Tensor as_up(const TrainedModule& module, const Tensor& matrix) {
  return module.is_convolution() ? matrix.view({-1, module.rank, 1, 1}) : matrix;
}

LoraModule plain_module(const TrainedModule& module, Tensor down, Tensor up) {
  LoraModule made{std::move(down), std::move(up), module.alpha};
  made.kernel = module.is_convolution() ? module.target.kernel : 0;
  return made;
}

std::shared_ptr<const LayerChange> dora(const TrainedModule& module, const Tensor& down, const Tensor& up,
                                        const Tensor& magnitude) {
  auto change = std::make_shared<LayerChange>();
  change->kind = &lora_kind();
  change->target = module.target;
  change->pieces = {{"lora_down", as_down(module, down)}, {"lora_up", as_up(module, up)}};
  change->rank = module.rank;
  change->alpha = module.alpha;
  change->scale = module.alpha / static_cast<double>(module.rank);
  change->magnitude = Magnitude{magnitude, false};
  return change;
}

bool is_to_train(const LoraTarget& target, const std::string& which) {
  if (target.kind == LoraTarget::Kind::convolution) return which == "attention+ff+conv";
  if (target.kind != LoraTarget::Kind::linear) return false;
  if (ends_with_any(target.name, {".to_q", ".to_k", ".to_v", ".to_out.0"})) return true;
  return which != "attention" && ends_with_any(target.name, {".ff.net.0.proj", ".ff.net.2"});
}

}  // namespace

LoraParameters::LoraParameters(std::vector<TrainedModule> modules, DType dtype) : modules_(std::move(modules)) {
  int64_t size = 0;
  for (auto& module : modules_) {
    module.offset = size;
    size += module.size();
  }
  flat_ = at::zeros({size}, dtype);
}

void LoraParameters::initialise(uint64_t seed) {
  Generator generator(derived_seed(seed, "lora", 0));
  flat_.zero_();
  for (const auto& module : modules_)
    down(module, flat_).copy_(generator.randn({module.rank, module.target.fan_in()}).div_(static_cast<double>(module.rank)));
}

void LoraParameters::initialise_magnitudes(const std::function<Tensor(const TrainedModule&)>& weight_of) {
  for (const auto& module : modules_)
    if (module.has_magnitude)
      magnitude(module, flat_).copy_(at::linalg_vector_norm(weight_of(module).flatten(1), 2, at::IntArrayRef{1}));
}

void LoraParameters::load(const LoraFile& lora) {
  for (const auto& module : modules_) {
    if (!module.has_magnitude) {
      const LoraModule& plain = lora.modules.at(module.component).at(module.name());
      down(module, flat_).copy_(plain.down);
      up(module, flat_).copy_(plain.up);
      continue;
    }
    const LayerChange& change = *lora.changes.at(module.component).at(module.name());
    down(module, flat_).copy_(change.pieces.at("lora_down").flatten(1));
    up(module, flat_).copy_(change.pieces.at("lora_up").flatten(1));
    magnitude(module, flat_).copy_(change.magnitude->values);
  }
}

Tensor LoraParameters::down(const TrainedModule& module, const Tensor& flat) const {
  const int64_t width = module.target.fan_in();
  return flat.narrow(0, module.offset, module.rank * width).view({module.rank, width});
}

Tensor LoraParameters::up(const TrainedModule& module, const Tensor& flat) const {
  const int64_t begin = module.offset + module.rank * module.target.fan_in(), out = module.target.out_features;
  return flat.narrow(0, begin, module.rank * out).view({out, module.rank});
}

Tensor LoraParameters::magnitude(const TrainedModule& module, const Tensor& flat) const {
  const int64_t out = module.target.out_features;
  return flat.narrow(0, module.offset + module.size() - out, out);
}

std::pair<int64_t, int64_t> LoraParameters::range_of(const std::string& prefix) const {
  int64_t begin = flat_.numel(), end = 0;
  for (const auto& module : modules_) {
    if (!(module.component + "." + module.name()).starts_with(prefix)) continue;
    begin = std::min(begin, module.offset);
    end = std::max(end, module.offset + module.size());
  }
  return {std::min(begin, end), end};
}

TrainedAdapters LoraParameters::adapters(bool gradient_checkpointing) const {
  TrainedAdapters result;
  result.gradient = at::zeros_like(flat_);
  const auto leaf = TrainedAdapters::leaf;
  for (const auto& module : modules_) {
    const auto scale = static_cast<float>(module.alpha / static_cast<double>(module.rank));
    const auto part = [&](const Tensor& flat) { return as_down(module, down(module, flat)); };
    const auto other_part = [&](const Tensor& flat) { return as_up(module, up(module, flat)); };
    nn::AdapterTerm term{leaf(part(flat_), part(result.gradient)), leaf(other_part(flat_), other_part(result.gradient)), {scale}};
    if (module.has_magnitude) term.magnitude = leaf(magnitude(module, flat_), magnitude(module, result.gradient));
    result.components[module.component].add(module.name(), std::move(term));
  }
  for (auto& [component, adapters] : result.components) adapters.gradient_checkpointing = gradient_checkpointing;
  return result;
}

Trained LoraParameters::trained() const {
  Trained result;
  const auto copy = [](const Tensor& part) { return part.to(at::kFloat, false, true); };
  for (const auto& module : modules_) {
    const Tensor first = copy(down(module, flat_)), second = copy(up(module, flat_));
    if (module.has_magnitude)
      result.lora.changes[module.component][module.name()] = dora(module, first, second, copy(magnitude(module, flat_)));
    else
      result.lora.modules[module.component][module.name()] = plain_module(module, first, second);
  }
  return result;
}

void LoraParameters::name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const {
  for (const auto& module : modules_) {
    const std::string stem = prefix + module.component + "." + module.name();
    named[stem + ".lora_A.weight"] = as_down(module, down(module, flat)).clone();
    named[stem + ".lora_B.weight"] = as_up(module, up(module, flat)).clone();
    if (!module.has_magnitude) continue;
    const Tensor values = magnitude(module, flat).clone();
    named[stem + ".lora_magnitude_vector"] = module.is_convolution() ? values.view({1, -1, 1, 1}) : values;
  }
}

TrainLoraOptions resolved(const TrainLoraOptions& options) {
  TrainLoraOptions all = options;
  all.rank = options.rank.value_or(4);
  all.alpha = options.alpha.value_or(static_cast<double>(*all.rank));
  all.targets = options.targets.value_or("attention");
  all.conv_rank.reset();
  all.conv_alpha.reset();
  if (*all.targets != "attention+ff+conv") return all;
  all.conv_rank = options.conv_rank.value_or(*all.rank);
  all.conv_alpha = options.conv_alpha.value_or(static_cast<double>(*all.conv_rank));
  return all;
}

std::vector<TrainedModule> modules_to_train(const LoraTargets& targets, const TrainLoraOptions& options) {
  std::vector<TrainedModule> modules;
  const auto add = [&](const std::string& component, const auto& wanted) {
    const auto found = targets.components.find(component);
    if (found == targets.components.end()) return;
    for (const auto& target : found->second) {
      if (!wanted(target)) continue;
      TrainedModule module{component, target, *options.rank, *options.alpha, options.dora};
      if (module.is_wide_convolution()) {
        module.rank = *options.conv_rank;
        module.alpha = *options.conv_alpha;
      }
      modules.push_back(std::move(module));
    }
  };
  add("unet", [&](const LoraTarget& target) { return is_to_train(target, *options.targets); });
  const auto text = [](const LoraTarget& target) {
    return target.kind == LoraTarget::Kind::linear && ends_with_any(target.name, {".q_proj", ".k_proj", ".v_proj", ".out_proj"});
  };
  for (const char* component : {"text_encoder", "text_encoder_2"})
    if (options.text_encoders) add(component, text);
  check(!modules.empty(), ErrorKind::input, "[--targets] the model has no layer for {}; is it an SDXL model?", *options.targets);
  return modules;
}

}  // namespace negativa
