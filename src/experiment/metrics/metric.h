#pragma once
// One interface for all that is measured of a picture. A metric is a file here and a line in registry.cpp; what is measured of a
// whole set (CMMD) is cmmd.h. docs/experiments.md says of each what it is and how it is fooled.
#include <functional>

#include "experiment/text_memory.h"
#include "experiment/world.h"

namespace negativa {

enum class Better { higher, lower, neither };

struct MetricNeeds {
  bool judge = false;
  bool world = false;     // world.toml in the judge's folder
  bool baseline = false;  // the picture of the same prompt and seed in the first folder
};

struct MeasuredPicture {
  const Image8& image;
  const std::string& caption;        // what was asked for
  const UnitVector* seen = nullptr;  // by the judge; given where a metric needs one
  const Image8* baseline = nullptr;  // likewise; none: the picture has no partner
};

// What the metrics of a run share.
struct MetricRoom {
  TextMemory* texts = nullptr;  // of the judge
  const World* world = nullptr;
  std::vector<std::string> score_damages;  // those that count in the damage score
};

struct Metric {
  std::string name;  // in tables, files and --metrics
  std::string unit;  // "" where it is a share or a probability
  Better better = Better::neither;
  MetricNeeds needs;
  // Absent: it says nothing of this picture (a caption without a colour). Safe from several threads.
  std::function<std::optional<double>(const MeasuredPicture& picture, const MetricRoom& room)> value;
};

// All of them, in the order of tables; those that need a world only where there is one.
std::vector<Metric> all_metrics(const World* world);

// Each file's own.
Metric clip_score();
Metric right_object();
Metric right_object_top1();
Metric damage_score();
Metric damage_probability(const std::string& damage);  // "damage_low_quality"
Metric background_distance();
Metric background_right();
Metric object_count_right();
Metric blockiness();
Metric sharpness();
Metric clipped();
Metric saturated();
Metric difference_to_baseline();

// "damage_low_quality" of "low quality".
std::string damage_metric_name(const std::string& damage);
// Probability of the caption with that damage among the plain caption and the caption with each damage of the world.
double probability_of_damage(const std::string& damage, const MeasuredPicture& picture, const MetricRoom& room);

// The median of the border, a ring of a 32nd of the shorter side, at least one pixel.
Colour border_colour(const Image8& image);
// Of each pixel, 0 to 255 (Rec. 601 weights, as JPEG's).
std::vector<float> luma(const Image8& image);

}  // namespace negativa
