#include "runs/address.h"

#include <algorithm>

#include "base/json.h"
#include "base/sha256.h"

namespace negativa {

int stage_format(CellStage stage) {
  switch (stage) {
    case CellStage::set_picture:
      return 1;
    case CellStage::set:
      return 1;
    case CellStage::lora:
      return 1;
    case CellStage::random_lora:
      return 1;
    case CellStage::merged_lora:
      return 1;
    case CellStage::embedding:
      return 1;
    case CellStage::calibration:
      return 1;
    case CellStage::picture:
      return 1;
    case CellStage::metrics:
      return 1;
  }
  fail(ErrorKind::input, "[runs] got stage {}, expected one of {}", static_cast<int>(stage), cell_stages);
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string cell_address(const AddressParts& parts) {
  const std::string stage = stage_name(parts.stage);
  for (const auto& input : parts.inputs)
    check(is_sha256(input), ErrorKind::input, "[address of a {} cell] got {} for an input, expected 64 hexadecimal digits", stage,
          json_excerpt(input));
  return sha256_hex(canonical_json({{"stage", stage},
                                    {"format", stage_format(parts.stage)},
                                    {"recipe", parse_json(parts.recipe_json, "recipe of a " + stage + " cell")},
                                    {"inputs", parts.inputs}}));
}

std::string slug(std::string_view text, size_t longest) {
  std::string slug;
  for (const char c : text) {
    const bool is_upper = c >= 'A' && c <= 'Z', is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (static_cast<unsigned char>(c) >= 0x80) continue;  // a letter of another script: dropped, whole
    if (is_upper || is_plain)
      slug += is_upper ? static_cast<char>(c - 'A' + 'a') : c;
    else if (!slug.empty() && slug.back() != '-')
      slug += '-';
  }
  slug.resize(std::min(slug.size(), longest));
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "x" : slug;
}

}  // namespace negativa
