#pragma once
// What a picture of the webui, or of a program that writes as it does, says of itself.
#include <string>

#include "base/json_fwd.h"

namespace negativa::studio {

// "PROMPT\nNegative prompt: …\nSteps: 20, Sampler: Euler a, Size: 512x768, …" as {"Prompt", "Negative prompt", "Steps": "20",
// "Size-1": "512", …}: all values are texts. Source: stable-diffusion-webui modules/infotext_utils.py. A last line with fewer
// than three settings belongs to the prompt.
Json parsed_infotext(const std::string& text);

// Answer of POST png-info: {"info", "items", "parameters"} of a picture's bytes in base64, "data:image/…;base64," before it or
// not. Throws ErrorKind::input for what is no picture.
Json sd_png_info(const std::string& image);

}  // namespace negativa::studio
