#include "engine/options.h"

#include <charconv>

#include "base/file_names.h"
#include "base/text.h"
#include "core/isa.h"
#include "io/models_folder.h"

namespace negativa {

namespace {

int64_t parse_number(std::string_view text, std::string_view flag, std::string_view expected) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1'000'000, ErrorKind::input,
        "[{}] got \"{}\", expected {}", flag, text, expected);
  return value;
}

// fp8: of files that keep their weights so; Models refuses it for others.
constexpr std::string_view storage_names[] = {"fp32", "bf16", "fp16", "int8", "fp8_e4m3", "fp8_e5m2"};

bool is_among(const auto& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// "auto", "fp16" or "text_encoder:fp32,unet:fp16": what a recipe says of a model whose parts differ.
void set_storage(const std::string& text, ModelRequest& request) {
  if (text == "auto") return;
  if (is_among(storage_names, text)) {
    request.storage = dtype_from_name(text);
    return;
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size()), colon = std::min(text.find(':', begin), end);
    const auto part = part_from_name(std::string_view(text).substr(begin, colon - begin));
    const std::string name = colon < end ? text.substr(colon + 1, end - colon - 1) : "";
    check(part && (name == "file" || is_among(storage_names, name)), ErrorKind::input,
          "[--weights-dtype] got \"{}\", expected auto, fp32, bf16, fp16, int8 or a list as text_encoder:fp32,unet:fp16", text);
    request.part_storage[*part] = name == "file" ? std::nullopt : std::optional(dtype_from_name(name));
    begin = end + 1;
  }
}

PredictionRequest prediction_of(const ModelOptions& options) {
  PredictionRequest asked;
  for (const auto type : {PredictionType::epsilon, PredictionType::v_prediction, PredictionType::sample})
    if (options.prediction_type == prediction_name(type)) asked.type = type;
  if (options.zero_snr) asked.zero_snr = true;
  return asked;
}

}  // namespace

void remember_choices(Fields& fields, PictureOptions& picture) {
  for (const char* name : {"steps", "cfg_scale"})
    if (find_field(fields, name)->source.rank > Source::model) picture.chose_steps_or_cfg = true;
}

SizePx parse_size(const std::string& text, char separator, std::string_view flag) {
  const auto at = text.find(separator);
  const std::string expected = separator == 'x' ? "HEIGHTxWIDTH in pixels, as 768x1024" : "Y,X in pixels, as 0,0";
  check(at != std::string::npos, ErrorKind::input, "[{}] got \"{}\", expected {}", flag, text, expected);
  return {parse_number(std::string_view(text).substr(0, at), flag, expected),
          parse_number(std::string_view(text).substr(at + 1), flag, expected)};
}

GuidanceInterval parse_interval(const std::string& text, std::string_view flag) {
  GuidanceInterval interval;
  const auto colon = text.find(':');
  const char* end = text.data() + text.size();
  bool good = colon != std::string::npos;
  if (good) {
    const auto first = std::from_chars(text.data(), text.data() + colon, interval.begin);
    const auto second = std::from_chars(text.data() + colon + 1, end, interval.end);
    good = first.ec == std::errc() && first.ptr == text.data() + colon && second.ec == std::errc() && second.ptr == end;
  }
  check(good && 0 <= interval.begin && interval.begin <= interval.end && interval.end <= 1, ErrorKind::input,
        "[{}] got \"{}\", expected BEGIN:END with 0 <= BEGIN <= END <= 1", flag, text);
  return interval;
}

EmbeddingSpec parse_embedding_spec(const std::string& text) {
  const auto equals = text.rfind('=');
  const auto whole = stored_path(text);
  std::error_code ignored;  // of a name that no system could store
  if (std::filesystem::exists(whole, ignored) || equals == std::string::npos) return {whole, {}};
  check(equals + 1 < text.size() && equals > 0, ErrorKind::input, "[--embedding] got \"{}\", expected FILE or FILE=NAME", text);
  return {stored_path(text.substr(0, equals)), text.substr(equals + 1)};
}

ModelRequest model_request(const ModelOptions& options, const Places& places) {
  check_isa(options.isa);
  ModelRequest request;
  request.device = device_from_name(options.device, places.libtorch);
  request.model = model_or_default(options.model, places);
  if (!options.refiner.empty()) request.refiner = find_model(options.refiner, places);
  if (!options.vae.empty()) request.vae = find_vae(options.vae, places);
  if (!options.unet.empty()) request.unet = find_unet(options.unet, places);
  request.compute = compute_from_name(options.dtype, request.device);
  request.prediction = prediction_of(options);
  set_storage(options.weights_dtype, request);
  return request;
}

}  // namespace negativa
