#pragma once
// UNet names of SGM single files (Stability-AI/generative-models, openaimodel.py), without the "model.diffusion_model." prefix.
#include "io/keys/key_pairs.h"
#include "io/keys/unet_layout.h"

namespace negativa {

// down_blocks.0.resnets.0.norm1 <-> input_blocks.1.0.in_layers.0 …: every module of a UNet of this layout.
KeyPairs sgm_unet_pairs(const UNetLayout& layout);

}  // namespace negativa
