#include <algorithm>
#include <cmath>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

// CIE L*a*b*, D65, of an sRGB colour (IEC 61966-2-1).
std::array<double, 3> lab(Colour colour) {
  double linear[3];
  for (size_t c = 0; c < 3; ++c) {
    const double value = colour[c] / 255.0;
    linear[c] = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  }
  const double x = 0.4124564 * linear[0] + 0.3575761 * linear[1] + 0.1804375 * linear[2],
               y = 0.2126729 * linear[0] + 0.7151522 * linear[1] + 0.0721750 * linear[2],
               z = 0.0193339 * linear[0] + 0.1191920 * linear[1] + 0.9503041 * linear[2];
  const auto f = [](double t) { return t > 216.0 / 24389 ? std::cbrt(t) : (24389.0 / 27 * t + 16) / 116; };
  const double fx = f(x / 0.95047), fy = f(y), fz = f(z / 1.08883);
  return {116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)};
}

// CIE 1976.
double distance(Colour a, Colour b) {
  const auto p = lab(a), q = lab(b);
  return std::sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) + (p[2] - q[2]) * (p[2] - q[2]));
}

uint8_t median(std::vector<uint8_t>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

Colour border_colour(const Image8& image) {
  const int ring = std::max(1, std::min(image.width, image.height) / 32);
  std::array<std::vector<uint8_t>, 3> channels;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const bool inside = x >= ring && x < image.width - ring && y >= ring && y < image.height - ring;
      if (inside) continue;
      for (size_t c = 0; c < 3; ++c) channels[c].push_back(image.pixel(x, y)[c]);
    }
  return {median(channels[0]), median(channels[1]), median(channels[2])};
}

Metric background_distance() {
  return {"background_distance",
          "dE",
          Better::lower,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            const auto wanted = room.world->facts(picture.caption).background;
            return wanted ? std::optional(distance(border_colour(picture.image), *wanted)) : std::nullopt;
          }};
}

Metric background_right() {
  return {"background_right",
          "",
          Better::higher,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            const auto wanted = room.world->facts(picture.caption).background;
            if (!wanted) return {};
            const Colour seen = border_colour(picture.image);
            const double nearest = distance(seen, *wanted);
            return std::all_of(room.world->colours.begin(), room.world->colours.end(),
                               [&](const auto& named) { return distance(seen, named.second) >= nearest; });
          }};
}

}  // namespace negativa
