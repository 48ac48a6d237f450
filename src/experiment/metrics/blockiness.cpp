#include <cmath>

#include "experiment/metrics/metric.h"

namespace negativa {

std::vector<float> luma(const Image8& image) {
  std::vector<float> values(static_cast<size_t>(image.width) * static_cast<size_t>(image.height));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 0.299f * image.rgb[i * 3] + 0.587f * image.rgb[i * 3 + 1] + 0.114f * image.rgb[i * 3 + 2];
  return values;
}

namespace {

// Mean luma step across the lines of the grid of 8 minus that across all other lines. After Wang, Bovik and Evans 2000, "Blind
// measurement of blocking artifacts".
std::optional<double> excess_step(const Image8& image) {
  const std::vector<float> y = luma(image);
  const auto width = static_cast<size_t>(image.width), height = static_cast<size_t>(image.height);
  double sum[2] = {}, count[2] = {};
  const auto add = [&](size_t line, double step) { sum[line % 8 == 0] += step, count[line % 8 == 0] += 1; };
  for (size_t row = 0; row < height; ++row)
    for (size_t column = 0; column < width; ++column) {
      const float here = y[row * width + column];
      if (column > 0) add(column, std::abs(here - y[row * width + column - 1]));
      if (row > 0) add(row, std::abs(here - y[(row - 1) * width + column]));
    }
  if (count[0] == 0 || count[1] == 0) return {};
  return sum[1] / count[1] - sum[0] / count[0];
}

}  // namespace

Metric blockiness() {
  return {"blockiness", "levels", Better::lower, {}, [](const MeasuredPicture& picture, const MetricRoom&) {
            return excess_step(picture.image);
          }};
}

}  // namespace negativa
