#include <algorithm>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

double share_of_pixels(const Image8& image, bool (*counts)(const uint8_t* rgb)) {
  size_t count = 0;
  for (size_t i = 0; i < image.rgb.size(); i += 3) count += counts(&image.rgb[i]);
  return static_cast<double>(count) / static_cast<double>(image.rgb.size() / 3);
}

bool is_clipped(const uint8_t* rgb) {
  return std::any_of(rgb, rgb + 3, [](uint8_t c) { return c == 0 || c == 255; });
}

// Saturation of at least 0.9 in the HSV cone, and bright enough for that to be seen.
bool is_saturated(const uint8_t* rgb) {
  const auto [low, high] = std::minmax({rgb[0], rgb[1], rgb[2]});
  return high >= 64 && 10 * (high - low) >= 9 * high;
}

}  // namespace

Metric clipped() {
  return {"clipped", "", Better::lower, {}, [](const MeasuredPicture& picture, const MetricRoom&) -> std::optional<double> {
            return share_of_pixels(picture.image, is_clipped);
          }};
}

Metric saturated() {
  return {"saturated", "", Better::neither, {}, [](const MeasuredPicture& picture, const MetricRoom&) -> std::optional<double> {
            return share_of_pixels(picture.image, is_saturated);
          }};
}

}  // namespace negativa
