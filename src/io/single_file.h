#pragma once
// Checkpoints that hold a whole SDXL model in one .safetensors file under SGM names (Stability-AI/generative-models), and the
// guess what a file is that is not one.
#include "io/weights.h"

namespace negativa {

// The size conditioning (label_emb) is what tells SDXL's UNet from its predecessors'.
bool holds_sdxl(const TensorFile& file);

// Throws ErrorKind::input with one line that says what the file looks like, unless it holds an SDXL base or refiner.
void check_is_sdxl(const TensorFile& file);

bool is_sgm_refiner(const TensorFile& file);

// part: "unet", "vae", "text_encoder" or "text_encoder_2".
bool single_file_has(const TensorFile& file, const std::string& part);

// The part's weights under our names. Throws ErrorKind::missing_key (no such part), ErrorKind::file_format listing tensors inside
// the part that no name of ours answers to.
Weights single_file_weights(const std::shared_ptr<const TensorFile>& file, const std::string& part);

// The configuration of a part: `negativa.config` of the metadata, else from the shapes.
std::string single_file_config_json(const std::shared_ptr<const TensorFile>& file, const std::string& part);

// Keys that belong to no part.
std::vector<std::string> single_file_unused_keys(const TensorFile& file);

// The VAE of a file that may hold nothing else, in diffusers or SGM naming, with or without prefix. Throws ErrorKind::input: no
// VAE.
Weights vae_weights(const std::shared_ptr<const TensorFile>& file);
// Likewise a UNet.
Weights unet_weights(const std::shared_ptr<const TensorFile>& file);
// What `negativa.config` in the file's metadata says of the part, if anything.
std::optional<std::string> metadata_config_json(const TensorFile& file, const std::string& part);

}  // namespace negativa
