#include "model/lora_targets.h"

#include "base/names.h"
#include "text/text_models.h"
#include "unet/unet.h"

namespace negativa {

LoraTargets lora_targets(const ModelFiles& files) {
  LoraTargets targets;
  UNet unet(UNetConfig::from_json(files.config_json(names::unet), files.config_name(names::unet)));
  targets.add(names::unet, nn::walk(unet));
  for (const char* part : {names::text_encoder, names::text_encoder_2}) {
    if (!files.has(part)) continue;
    CLIPTextModel encoder(text_config(files, part));
    // Pictures read the last layer but one of either encoder, and the pooled vector of the second, which has passed all its
    // layers.
    std::vector<std::string> unread;
    if (!encoder.text_projection)
      unread = {fmt::format("text_model.encoder.layers.{}.", encoder.config.num_hidden_layers - 1),
                "text_model.final_layer_norm"};
    targets.add(part, nn::walk(encoder), unread);
  }
  return targets;
}

}  // namespace negativa
