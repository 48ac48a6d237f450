#include "lora/lora_tags.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace negativa {

namespace {

struct Tag {
  const std::string& text;
  const std::string& where;
};

double weight_from(const std::string& text, const Tag& tag) {
  const auto weight = number_from(text);
  check(weight.has_value(), ErrorKind::input, "[{}] {} has the weight {}, expected a number as <lora:NAME:0.8>", tag.where,
        json_excerpt(tag.text), json_excerpt(text));
  return *weight;
}

// "0.8", "0.5:1", "te=0.5:unet=1" behind a LoRA's name.
PartWeights weights_from(std::span<const std::string> parts, const Tag& tag) {
  std::vector<double> numbers;
  std::optional<double> text, unet;
  for (const auto& part : parts) {
    const auto equals = part.find('=');
    const std::string key = equals == std::string::npos ? "" : part.substr(0, equals);
    if (key == "te")
      text = weight_from(part.substr(3), tag);
    else if (key == "unet")
      unet = weight_from(part.substr(5), tag);
    else
      numbers.push_back(weight_from(part, tag));
  }
  check(numbers.size() <= 2, ErrorKind::input,
        "[{}] {} has {} weights, expected one, or that of the text encoders and that of the UNet", tag.where,
        json_excerpt(tag.text), numbers.size());
  PartWeights weights;
  weights.text = text.value_or(numbers.empty() ? 1 : numbers[0]);
  weights.unet = unet.value_or(numbers.size() > 1 ? numbers[1] : weights.text);
  return weights;
}

}  // namespace

std::vector<std::string> take_lora_tags(std::string& prompt) {
  std::vector<std::string> taken;
  std::string rest;
  size_t at = 0;
  while (true) {
    const auto begin = std::min(prompt.find("<lora:", at), prompt.find("<lyco:", at));
    const auto end = begin == std::string::npos ? begin : prompt.find('>', begin + 6);
    if (end == std::string::npos) break;
    taken.push_back(prompt.substr(begin, end + 1 - begin));
    rest += prompt.substr(at, begin - at);
    at = end + 1;
  }
  if (taken.empty()) return taken;
  rest += prompt.substr(at);
  prompt = trimmed(rest);
  return taken;
}

LoraOfTag read_lora_tag(const std::string& tag, const std::function<bool(const std::string&)>& is_name,
                        const std::string& where) {
  const auto parts = split(std::string_view(tag).substr(6, tag.size() - 7), ':');  // between "<lora:" and ">"
  size_t named = 1;  // parts that are the name: one that is there as a whole wins
  for (size_t count = parts.size(); count > 1; --count)
    if (is_name(joined(std::span(parts).first(count), ":"))) {
      named = count;
      break;
    }
  return {joined(std::span(parts).first(named), ":"), weights_from(std::span(parts).subspan(named), {tag, where})};
}

}  // namespace negativa
