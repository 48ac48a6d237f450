#include "io/keys/kohya.h"

#include <algorithm>

#include "base/error.h"
#include "io/keys/sgm_unet.h"

namespace negativa {

namespace {
std::string underscored(const std::string& prefix, std::string module) {
  std::replace(module.begin(), module.end(), '.', '_');
  return prefix + module;
}

const char* suffix(LoraSide side) {
  switch (side) {
    case LoraSide::down:
      return ".lora_down.weight";
    case LoraSide::up:
      return ".lora_up.weight";
    case LoraSide::alpha:
      return ".alpha";
    case LoraSide::magnitude:
      break;
  }
  return ".dora_scale";
}
}  // namespace

KohyaNames::KohyaNames(const UNetLayout& layout) : sgm_(sgm_unet_pairs(layout), KeyMap::to_theirs) {}

std::vector<std::string> KohyaNames::modules(const std::string& component, const std::string& module) const {
  std::vector<std::string> names;
  if (component == "unet") {
    for (const auto& pair : sgm_.find(module)) names.push_back(underscored("lora_unet_", pair.theirs));
    names.push_back(underscored("lora_unet_", module));
    return names;
  }
  check(component == "text_encoder" || component == "text_encoder_2", ErrorKind::input,
        "[kohya names] got component \"{}\", expected unet, text_encoder or text_encoder_2", component);
  const std::vector<std::string> prefixes =
      component == "text_encoder" ? std::vector<std::string>{"lora_te1_", "lora_te_"} : std::vector<std::string>{"lora_te2_"};
  static const std::string root = "text_model.";
  for (const auto& prefix : prefixes) names.push_back(underscored(prefix, module));
  if (module.starts_with(root))
    for (const auto& prefix : prefixes) names.push_back(underscored(prefix, module.substr(root.size())));
  return names;
}

std::vector<std::string> KohyaNames::keys(const std::string& component, const std::string& module, LoraSide side) const {
  auto names = modules(component, module);
  for (auto& name : names) name += suffix(side);
  return names;
}

std::vector<std::string> kohya_module_names(const std::string& component, const std::string& module, const UNetLayout& layout) {
  return KohyaNames(layout).modules(component, module);
}

std::vector<std::string> kohya_lora_names(const std::string& component, const std::string& module, LoraSide side,
                                          const UNetLayout& layout) {
  return KohyaNames(layout).keys(component, module, side);
}

}  // namespace negativa
