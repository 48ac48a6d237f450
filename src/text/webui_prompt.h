#pragma once
// Prompts of other programs in the grammar of this one, so that they are never read in another sense.
// Sources: stable-diffusion-webui modules/prompt_parser.py; ComfyUI comfy/sd1_clip.py, token_weights.
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/other_settings.h"

namespace negativa {

struct TranslatedPrompt {
  std::string plain;                      // the words alone
  std::optional<std::string> weighted;    // in Compel's grammar; absent: it cannot say this, --weighting none is needed
  bool has_weights = false;               // or parts, as BREAK makes them
  std::vector<std::string> embeddings;    // that ComfyUI's embedding:NAME names
  std::vector<std::string> not_honoured;  // one line each
};

// `text`: without tags of LoRAs (lora/lora_tags.h). Other tags of that form are taken out and named.
TranslatedPrompt translate_prompt(std::string_view text, PromptDialect dialect);

}  // namespace negativa
