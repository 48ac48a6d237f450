#include "vision/image_processor.h"

#include <cmath>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"

namespace negativa {

namespace {

using Size = ImageProcessor::Size;

int64_t side(int64_t value, const std::string& key, std::string_view where) {
  constexpr int64_t largest = 1 << 14;
  check(value > 0 && value <= largest, ErrorKind::file_format, "[{}] {}: got {}, expected 1 to {} pixels", where, key, value,
        largest);
  return value;
}

// The forms that mean height and width: a list of both, an object of both. Absent: `value` is of another form.
std::optional<Size> both_sides(const Json& value, const std::string& key, std::string_view where) {
  if (json_holds<std::vector<int64_t>>(value) && value.size() == 2)
    return Size{side(value[0].get<int64_t>(), key, where), side(value[1].get<int64_t>(), key, where)};
  if (value.is_object() && value.contains("height") && value.contains("width"))
    return Size{side(get<int64_t>(value, "height", where), key, where), side(get<int64_t>(value, "width", where), key, where)};
  return {};
}

[[noreturn]] void fail_size(const Json& value, const std::string& key, std::string_view where, std::string_view expected) {
  fail(ErrorKind::file_format, "[{}] {}: got {}, expected {}", where, key, json_excerpt(value), expected);
}

void read_size(const Json& json, ImageProcessor& processor, std::string_view where) {
  const auto found = json.find("size");
  if (found == json.end() || found->is_null()) return;
  processor.shortest_edge.reset();
  if (const auto both = both_sides(*found, "size", where)) {
    processor.size = *both;
  } else if (json_holds<int64_t>(*found)) {
    processor.shortest_edge = side(found->get<int64_t>(), "size", where);
  } else if (found->is_object() && found->contains("shortest_edge") && !found->contains("longest_edge")) {
    processor.shortest_edge = side(get<int64_t>(*found, "shortest_edge", where), "size", where);
  } else {
    fail_size(*found, "size", where,
              "a number of pixels, [height, width], or an object with shortest_edge or with height and width");
  }
}

void read_crop_size(const Json& json, ImageProcessor& processor, std::string_view where) {
  const auto found = json.find("crop_size");
  if (found == json.end() || found->is_null()) return;
  if (const auto both = both_sides(*found, "crop_size", where)) {
    processor.crop_size = *both;
  } else if (json_holds<int64_t>(*found)) {
    processor.crop_size.height = processor.crop_size.width = side(found->get<int64_t>(), "crop_size", where);
  } else {
    fail_size(*found, "crop_size", where, "a number of pixels, [height, width], or an object with height and width");
  }
}

// Pillow's numbers, or torchvision's names as transformers 5 may write them.
Filter filter_of(const Json& json, Filter fallback, std::string_view where) {
  const auto found = json.find("resample");
  if (found == json.end() || found->is_null()) return fallback;
  const std::pair<Json, Filter> known[] = {{1, Filter::lanczos},           {2, Filter::bilinear},
                                           {3, Filter::bicubic},           {"lanczos", Filter::lanczos},
                                           {"bilinear", Filter::bilinear}, {"bicubic", Filter::bicubic}};
  for (const auto& [name, filter] : known)
    if (*found == name) return filter;
  fail(ErrorKind::file_format, "[{}] resample: got {}, expected 1 (Lanczos), 2 (bilinear) or 3 (bicubic)", where,
       json_excerpt(*found));
}

void read_channels(const Json& json, const std::string& key, std::array<float, 3>& values, std::string_view where) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  if (found->is_number()) {
    values.fill(found->get<float>());
  } else {
    const auto list = get<std::vector<double>>(json, key, where);
    check(list.size() == 3, ErrorKind::file_format, "[{}] {}: got {} numbers, expected 3", where, key, list.size());
    std::copy(list.begin(), list.end(), values.begin());
  }
  for (const float value : values)
    check(std::isfinite(value) && (key != "image_std" || value > 0), ErrorKind::file_format,
          "[{}] {}: got {}, expected finite numbers{}", where, key, json_excerpt(*found), key == "image_std" ? " above 0" : "");
}

struct Frame {
  int64_t width, height;  // of the resized picture, px
  int64_t left, top;      // of the crop in it; negative where the crop is larger
  Size crop;
};

// transformers, image_transforms.py: get_resize_output_image_size, center_crop.
Frame frame_of(const ImageProcessor& processor, const Image8& image) {
  Frame frame{image.width, image.height, 0, 0, {}};
  if (processor.do_resize && processor.shortest_edge) {
    const int64_t edge = *processor.shortest_edge, shorter = std::min(image.width, image.height),
                  longer = std::max(image.width, image.height);
    const double resized = static_cast<double>(edge * longer) / static_cast<double>(shorter);
    check(resized <= (1 << 30), ErrorKind::input,
          "[judge] a picture of {}x{} pixels is too long to be resized to {} on its shorter side", image.width, image.height,
          edge);
    const auto length = static_cast<int64_t>(resized);
    frame.width = image.width <= image.height ? edge : length, frame.height = image.width <= image.height ? length : edge;
  } else if (processor.do_resize) {
    frame.width = processor.size.width, frame.height = processor.size.height;
  }
  frame.crop = processor.do_center_crop ? processor.crop_size : Size{frame.height, frame.width};
  const auto half = [](int64_t difference) {
    return difference >= 0 ? difference / 2 : -((1 - difference) / 2);
  };  // towards minus infinity
  frame.left = half(frame.width - frame.crop.width), frame.top = half(frame.height - frame.crop.height);
  return frame;
}

// The crop's part that has pixels; the rest of the crop is black.
Image8 framed(const ImageProcessor& processor, const Image8& image, const Frame& frame) {
  const auto width = static_cast<int>(frame.width), height = static_cast<int>(frame.height);
  const Window window{static_cast<int>(std::max<int64_t>(frame.left, 0)), static_cast<int>(std::max<int64_t>(frame.top, 0)),
                      static_cast<int>(std::min(frame.crop.width, frame.width)),
                      static_cast<int>(std::min(frame.crop.height, frame.height))};
  const Image8 seen = resize_window(image, width, height, window, processor.resample);
  if (seen.width == frame.crop.width && seen.height == frame.crop.height) return seen;
  Image8 result = Image8::filled(static_cast<int>(frame.crop.width), static_cast<int>(frame.crop.height), {0, 0, 0});
  const int left = static_cast<int>(std::max<int64_t>(-frame.left, 0)), top = static_cast<int>(std::max<int64_t>(-frame.top, 0));
  for (int y = 0; y < seen.height; ++y)
    std::copy_n(seen.pixel(0, y), static_cast<size_t>(seen.width) * 3, result.pixel(left, top + y));
  return result;
}

}  // namespace

ImageProcessor ImageProcessor::parse(std::string_view text, std::string_view where) {
  const Json json = parse_json(text, where);
  ImageProcessor processor;
  const auto flag = [&](const char* key, bool& value) { value = get_or(json, key, value, where); };
  flag("do_resize", processor.do_resize);
  flag("do_center_crop", processor.do_center_crop);
  flag("do_rescale", processor.do_rescale);
  flag("do_normalize", processor.do_normalize);
  read_size(json, processor, where);
  read_crop_size(json, processor, where);
  processor.resample = filter_of(json, processor.resample, where);
  processor.rescale_factor = get_or(json, "rescale_factor", processor.rescale_factor, where);
  read_channels(json, "image_mean", processor.mean, where);
  read_channels(json, "image_std", processor.std, where);
  return processor;
}

ImageProcessor ImageProcessor::load(const std::filesystem::path& folder) {
  const auto own = folder / names::preprocessor_config, joint = folder / names::processor_config;
  if (std::filesystem::exists(own)) return parse(read_file(own), own.string());
  if (std::filesystem::exists(joint))
    return parse(get_object(read_json_file(joint), "image_processor", joint.string()).dump(), joint.string());
  fail(ErrorKind::missing_key,
       "[judge] {} has no {}, which says how pictures are resized and normalised; copy it from where the model comes from",
       folder.string(), names::preprocessor_config);
}

std::optional<Size> ImageProcessor::output_size() const {
  if (do_center_crop) return crop_size;
  if (do_resize && !shortest_edge) return size;
  return {};
}

Tensor ImageProcessor::pixels(const Image8& image) const {
  check(!image.empty(), ErrorKind::input, "[judge] got a picture without pixels");
  const Image8 shown = framed(*this, image, frame_of(*this, image));
  Tensor result = at::empty({1, 3, shown.height, shown.width}, at::kFloat);
  float* target = result.mutable_data_ptr<float>();
  const size_t plane = static_cast<size_t>(shown.width) * static_cast<size_t>(shown.height);
  for (size_t channel = 0; channel < 3; ++channel)
    for (size_t i = 0; i < plane; ++i) {
      float value = shown.rgb[i * 3 + channel];
      if (do_rescale) value = static_cast<float>(static_cast<double>(shown.rgb[i * 3 + channel]) * rescale_factor);
      if (do_normalize) value = (value - mean[channel]) / std[channel];
      target[channel * plane + i] = value;
    }
  return result;
}

}  // namespace negativa
