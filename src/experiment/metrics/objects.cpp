#include <algorithm>
#include <cstdlib>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

constexpr int background_tolerance = 48;      // greatest difference of a channel
constexpr double smallest_object = 1.0 / 64;  // share of the picture's area

using Mask = std::vector<char>;

Mask foreground(const Image8& image) {
  const Colour background = border_colour(image);
  Mask mask(image.rgb.size() / 3);
  for (size_t i = 0; i < mask.size(); ++i) {
    int greatest = 0;
    for (size_t c = 0; c < 3; ++c) greatest = std::max(greatest, std::abs(image.rgb[i * 3 + c] - background[c]));
    mask[i] = greatest > background_tolerance;
  }
  return mask;
}

// Area of the connected region (8 neighbours) that `start` is in; takes it out of the mask.
size_t take_region(Mask& mask, int width, int height, size_t start) {
  size_t area = 0;
  std::vector<size_t> open{start};
  mask[start] = 0;
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    ++area;
    const int x = static_cast<int>(at % static_cast<size_t>(width)), y = static_cast<int>(at / static_cast<size_t>(width));
    for (int ny = std::max(0, y - 1); ny <= std::min(height - 1, y + 1); ++ny)
      for (int nx = std::max(0, x - 1); nx <= std::min(width - 1, x + 1); ++nx) {
        const size_t next = static_cast<size_t>(ny) * static_cast<size_t>(width) + static_cast<size_t>(nx);
        if (mask[next]) mask[next] = 0, open.push_back(next);
      }
  }
  return area;
}

size_t count_objects(const Image8& image) {
  Mask mask = foreground(image);
  const double least = smallest_object * static_cast<double>(mask.size());
  size_t count = 0;
  for (size_t i = 0; i < mask.size(); ++i)
    if (mask[i]) count += static_cast<double>(take_region(mask, image.width, image.height, i)) >= least;
  return count;
}

}  // namespace

Metric object_count_right() {
  return {"object_count_right",
          "",
          Better::higher,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            const size_t wanted = room.world->facts(picture.caption).objects.size();
            return wanted > 0 ? std::optional(count_objects(picture.image) == wanted ? 1.0 : 0.0) : std::nullopt;
          }};
}

}  // namespace negativa
