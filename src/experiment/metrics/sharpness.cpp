#include <cmath>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

// Standard deviation of the luma's Laplacian (4 neighbours): Pech-Pacheco et al. 2000 take its square.
std::optional<double> laplacian_deviation(const Image8& image) {
  if (image.width < 3 || image.height < 3) return {};
  const std::vector<float> y = luma(image);
  const auto width = static_cast<size_t>(image.width), height = static_cast<size_t>(image.height);
  double sum = 0, squares = 0;
  for (size_t row = 1; row + 1 < height; ++row)
    for (size_t column = 1; column + 1 < width; ++column) {
      const size_t i = row * width + column;
      const double value = double(y[i - 1]) + y[i + 1] + y[i - width] + y[i + width] - 4.0 * y[i];
      sum += value, squares += value * value;
    }
  const double count = static_cast<double>((width - 2) * (height - 2)), mean = sum / count;
  return std::sqrt(std::max(0.0, squares / count - mean * mean));
}

}  // namespace

Metric sharpness() {
  return {"sharpness", "levels", Better::neither, {}, [](const MeasuredPicture& picture, const MetricRoom&) {
            return laplacian_deviation(picture.image);
          }};
}

}  // namespace negativa
