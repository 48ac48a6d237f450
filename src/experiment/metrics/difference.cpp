#include <cstdlib>

#include "experiment/metrics/metric.h"

namespace negativa {

// Mean absolute difference over all pixels and channels. Nothing where the sizes differ.
Metric difference_to_baseline() {
  return {"difference",
          "levels",
          Better::neither,
          {.baseline = true},
          [](const MeasuredPicture& picture, const MetricRoom&) -> std::optional<double> {
            const Image8& image = picture.image;
            if (!picture.baseline || picture.baseline->width != image.width || picture.baseline->height != image.height)
              return {};
            int64_t sum = 0;
            for (size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(image.rgb[i] - picture.baseline->rgb[i]);
            return static_cast<double>(sum) / static_cast<double>(image.rgb.size());
          }};
}

}  // namespace negativa
