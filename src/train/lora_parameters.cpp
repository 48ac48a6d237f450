#include "train/lora_parameters.h"

#include <algorithm>

#include "base/derived_seed.h"

namespace negativa {

namespace {

bool ends_with_any(const std::string& name, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
}

int64_t size_of(const TrainedModule& module, int64_t rank) { return rank * (module.in_features + module.out_features); }

}  // namespace

LoraParameters::LoraParameters(std::vector<TrainedModule> modules, int64_t rank, double alpha, DType dtype)
    : modules_(std::move(modules)), rank_(rank), alpha_(alpha) {
  int64_t size = 0;
  for (auto& module : modules_) {
    module.offset = size;
    size += size_of(module, rank);
  }
  flat_ = at::zeros({size}, dtype);
}

void LoraParameters::initialise(uint64_t seed) {
  Generator generator(derived_seed(seed, "lora", 0));
  flat_.zero_();
  for (const auto& module : modules_)
    down(module, flat_).copy_(generator.randn({rank_, module.in_features}).div_(static_cast<double>(rank_)));
}

Tensor LoraParameters::down(const TrainedModule& module, const Tensor& flat) const {
  return flat.narrow(0, module.offset, rank_ * module.in_features).view({rank_, module.in_features});
}

Tensor LoraParameters::up(const TrainedModule& module, const Tensor& flat) const {
  return flat.narrow(0, module.offset + rank_ * module.in_features, rank_ * module.out_features)
      .view({module.out_features, rank_});
}

std::pair<int64_t, int64_t> LoraParameters::range_of(const std::string& prefix) const {
  int64_t begin = flat_.numel(), end = 0;
  for (const auto& module : modules_) {
    if (!(module.component + "." + module.name).starts_with(prefix)) continue;
    begin = std::min(begin, module.offset);
    end = std::max(end, module.offset + size_of(module, rank_));
  }
  return {std::min(begin, end), end};
}

TrainedAdapters LoraParameters::adapters(bool gradient_checkpointing) const {
  TrainedAdapters result;
  result.gradient = at::zeros_like(flat_);
  const auto leaf = TrainedAdapters::leaf;
  const auto scale = static_cast<float>(alpha_ / static_cast<double>(rank_));
  for (const auto& module : modules_)
    result.components[module.component].add(module.name, {leaf(down(module, flat_), down(module, result.gradient)),
                                                          leaf(up(module, flat_), up(module, result.gradient)),
                                                          {scale}});
  for (auto& [component, adapters] : result.components) adapters.gradient_checkpointing = gradient_checkpointing;
  return result;
}

Trained LoraParameters::trained() const {
  Trained result;
  for (const auto& module : modules_)
    result.lora.modules[module.component][module.name] = {down(module, flat_).to(at::kFloat, false, true),
                                                          up(module, flat_).to(at::kFloat, false, true), alpha_};
  return result;
}

void LoraParameters::name_parts(const std::string& prefix, const Tensor& flat, std::map<std::string, Tensor>& named) const {
  for (const auto& module : modules_) {
    const std::string stem = prefix + module.component + "." + module.name;
    named[stem + ".lora_A.weight"] = down(module, flat).clone();
    named[stem + ".lora_B.weight"] = up(module, flat).clone();
  }
}

std::vector<TrainedModule> modules_to_train(const LoraTargets& targets, const std::string& which, bool text_encoders) {
  std::vector<TrainedModule> modules;
  const auto add = [&](const std::string& component, const auto& wanted) {
    const auto found = targets.components.find(component);
    if (found == targets.components.end()) return;
    for (const auto& target : found->second)
      if (wanted(target.name)) modules.push_back({component, target.name, target.in_features, target.out_features, 0});
  };
  add("unet", [&](const std::string& name) {
    if (ends_with_any(name, {".to_q", ".to_k", ".to_v", ".to_out.0"})) return true;
    return which == "attention+ff" && ends_with_any(name, {".ff.net.0.proj", ".ff.net.2"});
  });
  const auto text = [](const std::string& name) { return ends_with_any(name, {".q_proj", ".k_proj", ".v_proj", ".out_proj"}); };
  for (const char* component : {"text_encoder", "text_encoder_2"})
    if (text_encoders) add(component, text);
  check(!modules.empty(), ErrorKind::input, "[--targets] the model has no layer for {}; is it an SDXL model?", which);
  return modules;
}

}  // namespace negativa
