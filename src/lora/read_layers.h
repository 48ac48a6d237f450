#pragma once
// The tensors of a file's layers, once their keys are sorted: into plain LoRAs and changes of other kinds.
#include "lora/adapter_config.h"
#include "lora/key_index.h"

namespace negativa {

// Fills lora.modules and lora.changes, and of its coverage what is at fault or switched off (alpha 0). alpha is the file's, else
// that of peft's config, else the rank.
void load_layers(const TensorFile& file, const std::vector<LayerPieces>& layers, const AdapterConfigs& configs, LoraFile& lora);

// "bundle_emb.WORD.clip_l", ".clip_g" or ".string_to_param.*": OneTrainer's and the webui's embeddings in a LoRA file.
bool is_bundled(const std::string& key);
// Keys of them that are understood as nothing go to coverage.unmatched.
std::vector<BundledEmbedding> bundled_embeddings(const TensorFile& file, LoraCoverage& coverage);

}  // namespace negativa
