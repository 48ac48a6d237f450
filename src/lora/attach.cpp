#include "lora/attach.h"

#include <algorithm>

#include "base/names.h"
#include "nn/changed_layer.h"

namespace negativa {

namespace {

using RowBranch = std::optional<LoraBranch>;  // of one row; absent: it says no prompt

bool acts_on(const ActiveLora& lora, RowBranch row) { return row && (lora.branch == LoraBranch::both || lora.branch == row); }

nn::AdapterTerm product(const LoraModule& module) {
  if (module.kernel == 0) return {module.down, module.up, {}};
  return {module.down.view({module.rank(), -1, module.kernel, module.kernel}), module.up.view({-1, module.rank(), 1, 1}), {}};
}

nn::Adapters attach(const std::vector<ActiveLora>& loras, const std::string& component, const std::vector<RowBranch>& rows) {
  nn::Adapters adapters(component == names::unet ? nn::ChangedLayers::limit_bytes : 0);
  const auto add = [&](const ActiveLora& lora, const std::string& layer, nn::AdapterTerm term, double scale) {
    for (const auto row : rows)
      term.row_scale.push_back(acts_on(lora, row) ? static_cast<float>(lora.weight.of(component) * scale) : 0.f);
    if (std::any_of(term.row_scale.begin(), term.row_scale.end(), [](float mine) { return mine != 0; }))
      adapters.add(layer, std::move(term));
  };
  for (const auto& lora : loras) {
    if (const auto modules = lora.file->modules.find(component); modules != lora.file->modules.end())
      for (const auto& [name, module] : modules->second) add(lora, name, product(module), module.scale());
    if (const auto changes = lora.file->changes.find(component); changes != lora.file->changes.end())
      for (const auto& [name, change] : changes->second) add(lora, name, {{}, {}, {}, change}, 1);
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
