#pragma once
// Settings of a picture that another program made (image/other_settings.h), as options of `generate`.
#include <functional>
#include <optional>

#include "base/json_fwd.h"
#include "image/other_settings.h"

namespace negativa {

struct OtherPicture {
  std::string program;
  std::string settings_json = "{}";  // of PictureOptions without files: what was found and can be done
  std::string model, vae, refiner;   // names of files; empty: the picture does not say
  std::string model_hash;
  struct Lora {
    std::string name, rest;  // rest: ":0.8" or ":unet=1,text=0.5:negative"
  };
  std::vector<Lora> loras;
  std::vector<std::string> embeddings;    // names of files
  bool has_prompt = false;                // else its prompt was not found
  std::vector<std::string> not_honoured;  // one line each, what was left out or means something a little different here
};

// `is_lora`: whether there is a file of that name, for names with a colon in tags. Throws as other_settings does.
std::optional<OtherPicture> other_picture(const TextChunks& text, const std::function<bool(const std::string&)>& is_lora);

}  // namespace negativa
