#pragma once
// TAESD's files: diffusers' AutoencoderTiny, and the two of their author (taesdxl_encoder, taesdxl_decoder), whose keys are bare
// numbers. Source: madebyollin/taesd, taesd.py; its places of layers are diffusers', one later in the decoder, which begins with
// a layer without weights.
#include "io/weights.h"

namespace negativa {

// Whether the file holds one of a TAESD's halves, or both, under any of its names.
bool is_tiny_vae(const TensorFile& file);

// Both halves or the one that is there, under diffusers' names. Throws ErrorKind::file_format for two tensors of one name.
Weights tiny_vae_weights(const std::shared_ptr<const TensorFile>& file);
bool has_half(const Weights& weights, const std::string& half);  // "encoder" or "decoder"

// config.json of an AutoencoderTiny: blocks and widths as the keys and shapes say; lists of a half that is not there are empty.
// Throws ErrorKind::file_format where the layers break off.
std::string tiny_vae_config_json(const Weights& weights);

// The file of the other half that lies beside this one: "taesdxl_encoder.pth" of "taesdxl_decoder.pth".
std::optional<std::filesystem::path> other_half_beside(const std::filesystem::path& file);

// SDXL's TAESD in one of these folders, or in the one below it that the webui and ComfyUI keep it in (VAE-approx, VAE-taesd,
// vae_approx, vae): taesdxl as folder or file, taesdxl_decoder as .safetensors or .pth. Absent: it is in none.
std::optional<std::filesystem::path> find_taesdxl(const std::vector<std::filesystem::path>& folders);

}  // namespace negativa
