#include "experiment/metrics/metric.h"

namespace negativa {

// Hessel et al. 2021, arXiv:2104.08718, without their factor 2.5 and not clamped at 0.
Metric clip_score() {
  return {"clip_score",
          "100 cos",
          Better::higher,
          {.judge = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            return 100 * cosine(*picture.seen, room.texts->read(picture.caption).vector);
          }};
}

}  // namespace negativa
