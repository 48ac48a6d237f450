#pragma once
// What a picture's file says of itself: its recipe, or the settings that another program wrote.
#include <string>

#include "image/image.h"

namespace negativa {

struct PictureFacts {
  int64_t width = 0, height = 0;                                      // px
  std::string prompt, negative_prompt, model, loras, seed, settings;  // settings: the webui's, for the search
  std::string damage;                                                 // why it cannot be read; empty: it can
};

// Of a file's bytes; decodes the picture, so that one that is cut short is found out. Never throws an Error.
PictureFacts facts_of_picture(const std::string& bytes, const std::string& name);

}  // namespace negativa
