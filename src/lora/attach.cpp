#include "lora/attach.h"

#include <algorithm>

namespace negativa {

namespace {

using RowBranch = std::optional<LoraBranch>;  // of one row; absent: it says no prompt

bool acts_on(const ActiveLora& lora, RowBranch row) { return row && (lora.branch == LoraBranch::both || lora.branch == row); }

nn::Adapters attach(const std::vector<ActiveLora>& loras, const std::string& component, const std::vector<RowBranch>& rows) {
  nn::Adapters adapters;
  for (const auto& lora : loras) {
    const auto modules = lora.file->modules.find(component);
    if (modules == lora.file->modules.end()) continue;
    for (const auto& [name, module] : modules->second) {
      std::vector<float> scales;
      for (const auto& row : rows) scales.push_back(acts_on(lora, row) ? static_cast<float>(lora.weight * module.scale()) : 0.f);
      if (std::all_of(scales.begin(), scales.end(), [](float scale) { return scale == 0; })) continue;
      adapters.add(name, {module.down, module.up, std::move(scales)});
    }
  }
  return adapters;
}

std::vector<RowBranch> unet_rows(NegativeRow negative) {
  switch (negative) {
    case NegativeRow::reference:
      return {LoraBranch::negative, LoraBranch::positive};
    case NegativeRow::own:
      return {std::nullopt, LoraBranch::positive, LoraBranch::negative};
    case NegativeRow::none:
      break;
  }
  return {std::nullopt, LoraBranch::positive};
}

}  // namespace

nn::Adapters unet_adapters(const std::vector<ActiveLora>& loras, NegativeRow negative) {
  return attach(loras, "unet", unet_rows(negative));
}

nn::Adapters text_adapters(const std::vector<ActiveLora>& loras, const std::string& component, LoraBranch prompt) {
  check(prompt != LoraBranch::both, ErrorKind::input, "[text_adapters] got both branches, expected the branch of one prompt");
  return attach(loras, component, {prompt});
}

}  // namespace negativa
