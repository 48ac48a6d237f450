#include "library/picture_facts.h"

#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/text.h"
#include "image/picture_kind.h"

namespace negativa {

namespace {

void set_from_recipe(PictureFacts& facts, const std::string& text, const std::string& name) {
  const Recipe recipe = Recipe::from_text(text, name);
  const Json settings = parse_json(recipe.settings_json, name);
  facts.prompt = get_or<std::string>(settings, "prompt", "", name);
  facts.negative_prompt = get_or<std::string>(settings, "negative_prompt", "", name);
  facts.seed = std::to_string(recipe.seed);
  for (const auto& input : recipe.inputs) {
    if (input.role == "model") facts.model = input.name;
    if (input.role == "lora") facts.loras += (facts.loras.empty() ? "" : ", ") + input.name;
  }
}

// "PROMPT\nNegative prompt: …\nSteps: 20, Sampler: …, Seed: 1, …": AUTOMATIC1111 webui, modules/infotext_utils.py.
void set_from_webui(PictureFacts& facts, const std::string& text) {
  facts.settings = text;
  const auto steps = text.rfind("\nSteps: ");
  const std::string before = text.substr(0, steps);
  const auto negative = before.find("\nNegative prompt: ");
  facts.prompt = before.substr(0, negative);
  if (negative != std::string::npos) facts.negative_prompt = before.substr(negative + 18);
  if (steps == std::string::npos) return;
  if (const auto seed = text.find("Seed: ", steps); seed != std::string::npos)
    facts.seed = text.substr(seed + 6, text.find_first_not_of("0123456789", seed + 6) - seed - 6);
}

}  // namespace

PictureFacts facts_of_picture(const std::string& bytes, const std::string& name) {
  PictureFacts facts;
  try {
    const bool is_png = picture_format(bytes) == PictureFormat::png;
    const PngFile png = is_png ? decode_png(bytes, name) : PngFile{decode_image(bytes, name), {}};
    facts.width = png.image.width;
    facts.height = png.image.height;
    for (const auto& [key, text] : png.text)
      if (key == names::png_parameters) set_from_webui(facts, text);
    for (const auto& [key, text] : png.text)
      if (key == names::png_recipe) set_from_recipe(facts, text, name);
  } catch (const Error& error) {
    if (facts.width == 0) facts.damage = error.what();  // a recipe that cannot be read does not make the picture bad
  }
  return facts;
}

}  // namespace negativa
