#include "vision/image_processor.h"

#include <cmath>

#include "base/config_reader.h"
#include "base/files.h"
#include "base/names.h"

namespace negativa {

namespace {

using Size = ImageProcessor::Size;

constexpr int64_t largest_side = 1 << 14;  // px

// The forms that mean height and width: a list of both, an object of both. Absent: the value is of another form.
std::optional<Size> both_sides(const ConfigReader& config, const std::string& key) {
  Size size;
  if (config.value(key).is_array()) {
    const auto sides = config.need_sizes(key);
    config.check(sides.size() == 2 && sides[0] <= largest_side && sides[1] <= largest_side, key,
                 "[height, width], each 1 to {} pixels", largest_side);
    return Size{sides[0], sides[1]};
  }
  if (!config.value(key).is_object()) return {};
  const ConfigReader object = config.object(key);
  if (!object.has("height") || !object.has("width")) return {};
  object.read_size("height", size.height, largest_side);
  object.read_size("width", size.width, largest_side);
  return size;
}

void read_size(const ConfigReader& config, ImageProcessor& processor) {
  const std::string key = "size";
  if (!config.has(key)) return;
  processor.shortest_edge.reset();
  if (const auto both = both_sides(config, key)) {
    processor.size = *both;
    return;
  }
  int64_t edge = 0;
  if (config.value(key).is_object()) {
    const ConfigReader object = config.object(key);
    config.check(object.has("shortest_edge") && !object.has("longest_edge"), key,
                 "a number of pixels, [height, width], or an object with shortest_edge or with height and width");
    object.read_size("shortest_edge", edge, largest_side);
  } else {
    config.read_size(key, edge, largest_side);
  }
  processor.shortest_edge = edge;
}

void read_crop_size(const ConfigReader& config, ImageProcessor& processor) {
  const std::string key = "crop_size";
  if (!config.has(key)) return;
  if (const auto both = both_sides(config, key)) {
    processor.crop_size = *both;
    return;
  }
  config.check(!config.value(key).is_object(), key, "a number of pixels, [height, width], or an object with height and width");
  config.read_size(key, processor.crop_size.height, largest_side);
  processor.crop_size.width = processor.crop_size.height;
}

// Pillow's numbers, or torchvision's names as transformers 5 may write them.
Filter filter_of(const ConfigReader& config, Filter fallback) {
  if (!config.has("resample")) return fallback;
  const auto& got = config.value("resample");
  const std::pair<Json, Filter> known[] = {{1, Filter::lanczos},           {2, Filter::bilinear},
                                           {3, Filter::bicubic},           {"lanczos", Filter::lanczos},
                                           {"bilinear", Filter::bilinear}, {"bicubic", Filter::bicubic}};
  for (const auto& [name, filter] : known)
    if (got == name) return filter;
  config.refuse("resample", got, "1 (Lanczos), 2 (bilinear) or 3 (bicubic)");
}

void read_channels(const ConfigReader& config, const std::string& key, std::array<float, 3>& values) {
  if (!config.has(key)) return;
  if (config.value(key).is_number()) {
    values.fill(config.need<float>(key));
  } else {
    const auto list = config.need<std::vector<double>>(key);
    config.check(list.size() == 3, key, "3 numbers, got {}", list.size());
    std::copy(list.begin(), list.end(), values.begin());
  }
  for (const float value : values)
    config.check(std::isfinite(value) && (key != "image_std" || value > 0), key, "finite numbers{}",
                 key == "image_std" ? " above 0" : "");
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
  return read(ConfigReader(text, std::string(where)));
}

ImageProcessor ImageProcessor::read(const ConfigReader& reader) {
  ImageProcessor processor;
  reader.read("do_resize", processor.do_resize);
  reader.read("do_center_crop", processor.do_center_crop);
  reader.read("do_rescale", processor.do_rescale);
  reader.read("do_normalize", processor.do_normalize);
  read_size(reader, processor);
  read_crop_size(reader, processor);
  processor.resample = filter_of(reader, processor.resample);
  reader.read("rescale_factor", processor.rescale_factor);
  read_channels(reader, "image_mean", processor.mean);
  read_channels(reader, "image_std", processor.std);
  return processor;
}

ImageProcessor ImageProcessor::load(const std::filesystem::path& folder) {
  const auto own = folder / names::preprocessor_config, joint = folder / names::processor_config;
  if (std::filesystem::exists(own)) return parse(read_file(own), own.string());
  if (std::filesystem::exists(joint)) {
    const ConfigReader reader(read_file(joint), joint.string());
    reader.require("image_processor", "an object");
    return read(reader.object("image_processor"));
  }
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
