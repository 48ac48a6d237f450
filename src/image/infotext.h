#pragma once
// The text that AUTOMATIC1111's webui writes into its pictures. Source: stable-diffusion-webui modules/infotext_utils.py.
#include <string>
#include <utility>
#include <vector>

namespace negativa {

struct Infotext {
  std::string prompt, negative_prompt;
  std::vector<std::pair<std::string, std::string>> settings;  // "Steps": "20" …, in their order, out of their quotes
};

// "PROMPT\nNegative prompt: …\nSteps: 20, Sampler: Euler a, …". A last line with fewer than three settings belongs to the prompt.
Infotext read_infotext(const std::string& text);

}  // namespace negativa
