#include <algorithm>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

struct Named {
  double probability = 0;  // of the caption's objects together
  bool first = false;      // one of them is the likeliest name
};

std::optional<Named> named(const MeasuredPicture& picture, const MetricRoom& room) {
  const auto wanted = room.world->facts(picture.caption).objects;
  if (wanted.empty()) return {};
  std::vector<const UnitVector*> names;
  for (const auto& name : room.world->objects) names.push_back(&room.texts->read(name).vector);
  const auto chances = room.texts->judge().probabilities(*picture.seen, names);
  const auto best = static_cast<size_t>(std::max_element(chances.begin(), chances.end()) - chances.begin());
  Named result;
  for (size_t i = 0; i < chances.size(); ++i) {
    if (std::find(wanted.begin(), wanted.end(), room.world->objects[i]) == wanted.end()) continue;
    result.probability += chances[i];
    result.first = result.first || i == best;
  }
  return result;
}

}  // namespace

Metric right_object() {
  return {"right_object",
          "",
          Better::higher,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            const auto found = named(picture, room);
            return found ? std::optional(found->probability) : std::nullopt;
          }};
}

Metric right_object_top1() {
  return {"right_object_top1",
          "",
          Better::higher,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            const auto found = named(picture, room);
            return found ? std::optional(found->first ? 1.0 : 0.0) : std::nullopt;
          }};
}

}  // namespace negativa
