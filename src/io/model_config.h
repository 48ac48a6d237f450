#pragma once
// Configurations of parts that come without one (single files): what the shapes tell, by enumeration, and the values SDXL was
// published with for what they cannot tell: head width 64, 32 norm groups, epsilons, activations, the VAE's scaling factor.
// Sources: huggingface/diffusers loaders/single_file_utils.py; Stability-AI/generative-models configs/inference.
#include "io/prediction_marks.h"
#include "io/weights.h"

namespace negativa {

// JSON in diffusers' keys. The weights are under our names. Throw ErrorKind::file_format when a needed tensor is not there.
std::string unet_config_json(const Weights& weights);
std::string vae_config_json(const Weights& weights, const PredictionMarks& marks = {});
std::string text_config_json(const std::string& part,
                             const Weights& weights);  // "text_encoder" (CLIP-L), "text_encoder_2" (bigG)

std::string model_index_json(bool is_refiner);

}  // namespace negativa
