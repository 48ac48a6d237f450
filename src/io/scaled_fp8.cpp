#include "io/scaled_fp8.h"

#include "base/json.h"
#include "core/device.h"

namespace negativa {

namespace {

struct Suffix {
  std::string_view text;
  enum { scale, unused, format } use;
};
constexpr Suffix suffixes[] = {{".scale_weight", Suffix::scale},
                               {".weight_scale", Suffix::scale},
                               {".scale_input", Suffix::unused},
                               {".input_scale", Suffix::unused},
                               {".comfy_quant", Suffix::format}};

const Suffix* suffix_of(const std::string& key) {
  for (const auto& suffix : suffixes)
    if (key.ends_with(suffix.text)) return &suffix;
  return nullptr;
}

void check_scale(const TensorFile& file, const TensorEntry& scale, const TensorEntry& weight) {
  const int64_t count = c10::multiply_integers(scale.shape);
  check(is_fp8(weight.dtype), ErrorKind::file_format, "[{}] {} is the scale of {}, which is {}; expected fp8",
        file.path().string(), scale.name, weight.name, c10::toString(weight.dtype));
  check(at::isFloatingType(scale.dtype) && (count == 1 || (!weight.shape.empty() && count == weight.shape[0])),
        ErrorKind::file_format, "[{}] {} is {}, expected one number, or one for each of the {} rows of the weight",
        file.path().string(), scale.name, to_string(scale.shape), weight.shape.empty() ? 0 : weight.shape[0]);
}

void check_format(const TensorFile& file, const TensorEntry& entry) {
  constexpr int64_t longest = 4096;
  check(entry.dtype == at::kByte && c10::multiply_integers(entry.shape) <= longest, ErrorKind::file_format,
        "[{}] {} is no short text, expected JSON as {{\"format\": \"float8_e4m3fn\"}}", file.path().string(), entry.name);
  const Tensor bytes = file.load(entry).contiguous();
  const std::string text(reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>()), static_cast<size_t>(bytes.numel()));
  const Json json = parse_json(text, entry.name);
  const Json format = json.is_object() && json.contains("format") ? json["format"] : Json();
  check(format == "float8_e4m3fn" || format == "float8_e5m2", ErrorKind::file_format,
        "[{}] {} says the format {}, which is not read; expected float8_e4m3fn or float8_e5m2", file.path().string(), entry.name,
        json_excerpt(format));
}

}  // namespace

Fp8Scales::Fp8Scales(const TensorFile& file) {
  for (const auto& entry : file.entries()) {
    if (entry.name == "scaled_fp8" || entry.name.ends_with(".scaled_fp8")) taken_.insert(entry.name);
    const auto* suffix = suffix_of(entry.name);
    if (!suffix) continue;
    const std::string weight = entry.name.substr(0, entry.name.size() - suffix->text.size()) + ".weight";
    const auto* scaled = file.find(weight);
    if (!scaled) continue;  // left to be an unknown name
    taken_.insert(entry.name);
    if (suffix->use == Suffix::format) check_format(file, entry);
    if (suffix->use != Suffix::scale) continue;
    check_scale(file, entry, *scaled);
    scales_[weight] = entry.name;
  }
}

std::string Fp8Scales::of(const std::string& weight) const {
  const auto found = scales_.find(weight);
  return found == scales_.end() ? "" : found->second;
}

}  // namespace negativa
