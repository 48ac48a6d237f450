#include "lora/adapter_fields.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace negativa {

namespace {

using Modules = std::map<std::string, LoraModule>;

std::string peft_name(const std::string& module) {
  static const std::string root = "text_model.";
  return module.starts_with(root) ? module.substr(root.size()) : module;
}

// The number that most modules have; of equally common ones the smallest.
template <class Number>
double commonest(const Modules& modules, Number number) {
  std::map<double, int> counts;
  for (const auto& [name, module] : modules) ++counts[number(module)];
  return std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
}

// LoraConfig wants its ranks, and scripts its alphas, as integers where they are whole.
Json as_json(double number) {
  if (number == std::floor(number) && std::abs(number) < 1e15) return static_cast<int64_t>(number);
  return number;
}

template <class Number>
Json pattern(const Modules& modules, double usual, Number number) {
  Json names = Json::object();
  for (const auto& [name, module] : modules)
    if (number(module) != usual) names[peft_name(name)] = as_json(number(module));
  return names;
}

double rank_of(const LoraModule& module) { return static_cast<double>(module.rank()); }
double alpha_of(const LoraModule& module) { return module.alpha; }

}  // namespace

Json adapter_fields(const Modules& modules) {
  const double rank = commonest(modules, rank_of), alpha = commonest(modules, alpha_of);
  Json targets = Json::array();
  for (const auto& [name, module] : modules) targets.push_back(peft_name(name));
  return {{"r", as_json(rank)},
          {"lora_alpha", as_json(alpha)},
          {"rank_pattern", pattern(modules, rank, rank_of)},
          {"alpha_pattern", pattern(modules, alpha, alpha_of)},
          {"target_modules", targets}};
}

bool alphas_are_ranks(const Modules& modules) {
  return std::all_of(modules.begin(), modules.end(),
                     [](const auto& named) { return named.second.alpha == rank_of(named.second); });
}

std::string adapter_config_text(const Modules& modules, bool is_dora) {
  Json config = adapter_fields(modules);
  config.update({{"peft_type", "LORA"},
                 {"task_type", nullptr},
                 {"base_model_name_or_path", nullptr},
                 {"inference_mode", true},
                 {"bias", "none"},
                 {"fan_in_fan_out", false},
                 {"lora_dropout", 0.0},
                 {"init_lora_weights", true},
                 {"modules_to_save", nullptr},
                 {"use_rslora", false},
                 {"use_dora", is_dora}});
  return config.dump(2) + "\n";
}

std::string adapter_metadata_text(const LoraModules& components, const std::set<std::string>& doras) {
  Json flat = Json::object();
  for (const auto& [component, modules] : components) {
    Json fields = adapter_fields(modules);
    if (doras.contains(component)) fields["use_dora"] = true;
    for (const auto& [field, value] : fields.items()) flat[component + "." + field] = value;
  }
  return flat.dump(2);
}

}  // namespace negativa
