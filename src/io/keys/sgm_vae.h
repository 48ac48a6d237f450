#pragma once
// VAE names of SGM single files, without the "first_stage_model." prefix, and of old diffusers files.
#include "io/keys/key_pairs.h"

namespace negativa {

// Levels from the pixels down for the encoder, from the latents up for the decoder (our order; SGM numbers the decoder's in
// reverse).
struct VaeLayout {
  std::vector<int> encoder_resnets, decoder_resnets;  // a level
};

VaeLayout vae_layout(std::vector<std::string> our_names);
VaeLayout sgm_vae_layout(std::vector<std::string> sgm_names);

// decoder.up_blocks.0.resnets.1.conv_shortcut <-> decoder.up.3.block.1.nin_shortcut … for a VAE of this layout.
KeyPairs sgm_vae_pairs(const VaeLayout& layout);

}  // namespace negativa
