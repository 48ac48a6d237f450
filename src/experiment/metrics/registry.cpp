#include "experiment/metrics/metric.h"

namespace negativa {

std::vector<Metric> all_metrics(const World* world) {
  std::vector<Metric> metrics = {clip_score()};
  if (world) {
    metrics.insert(metrics.end(), {right_object(), right_object_top1(), damage_score()});
    for (const auto& damage : world->damages) metrics.push_back(damage_probability(damage));
    metrics.insert(metrics.end(), {background_right(), background_distance(), object_count_right()});
  }
  metrics.insert(metrics.end(), {blockiness(), sharpness(), clipped(), saturated(), difference_to_baseline()});
  return metrics;
}

}  // namespace negativa
