#pragma once
// Text encoder names of OpenCLIP (mlfoundations/open_clip, transformer.py) as SGM files store them, without their prefix.
#include "io/keys/key_pairs.h"

namespace negativa {

int open_clip_layers(std::vector<std::string> open_clip_names);

// text_model.encoder.layers.0.self_attn.q_proj.weight <-> the first third of transformer.resblocks.0.attn.in_proj_weight …
// text_projection is transposed: OpenCLIP computes x P, we compute x W^T.
KeyPairs open_clip_pairs(int layers);

}  // namespace negativa
