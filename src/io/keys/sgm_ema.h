#pragma once
// Names of the moving averages (EMA) that training checkpoints hold beside or instead of a UNet's weights: SGM's own without
// their dots, "model_ema.diffusion_modelinput_blocks00weight". Source: Stability-AI/generative-models, sgm/modules/ema.py
// (LitEma).
#include <optional>
#include <string>

namespace negativa {

inline constexpr const char* sgm_ema_prefix = "model_ema.";

// "diffusion_modelinput_blocks00weight" (behind the prefix) -> "input_blocks.0.0.weight"; absent: no name of a UNet of SGM.
// Found among all names that UNets of up to 16 blocks a way and 16 transformer blocks have. Thread-safe.
std::optional<std::string> sgm_name_of_ema(const std::string& name);

}  // namespace negativa
