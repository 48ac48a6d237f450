#pragma once
// Names that diffusers and transformers files have had over the years, brought to ours (those of diffusers 0.4x, transformers 4).
#include "io/keys/key_pairs.h"

namespace negativa {

// part: "unet", "vae", "text_encoder", "text_encoder_2". Nothing: the tensor is no weight of the part and is left out
// (position_ids, logit_scale, CLIP-L's unused text_projection). Text encoders get "text_model." where transformers >= 5.6 leaves
// it out; the VAE's attention of 2022 (query, key, value, proj_attn) becomes to_q, to_k, to_v, to_out.0. Any other name stays as
// it is.
std::optional<KeyPair> from_diffusers_name(const std::string& part, const std::string& name);

}  // namespace negativa
