#include "lora/lora_target.h"

#include <algorithm>

#include "nn/layers.h"

namespace negativa {

void LoraTargets::add(const std::string& component, const nn::Walk& walk, const std::vector<std::string>& unread) {
  auto& layers = components[component];
  const auto add_layer = [&](LoraTarget target) {
    target.is_read =
        std::none_of(unread.begin(), unread.end(), [&](const auto& start) { return target.name.starts_with(start); });
    layers.push_back(std::move(target));
  };
  using enum LoraTarget::Kind;
  for (const auto& [name, layer] : walk.linears)
    add_layer({name, layer->in_features, layer->out_features, true, linear, 1, layer->has_bias});
  for (const auto& [name, layer] : walk.convolutions)
    add_layer({name, layer->in_channels, layer->out_channels, true, convolution, layer->kernel});
  for (const auto& [name, layer] : walk.group_norms) add_layer({name, layer->channels, layer->channels, true, norm});
  for (const auto& [name, layer] : walk.layer_norms) add_layer({name, layer->width, layer->width, true, norm});
  if (component != "unet") return;
  std::vector<std::string> keys;
  for (const auto& slot : walk.slots) keys.push_back(slot.name);
  layout = unet_layout(std::move(keys));
}

}  // namespace negativa
