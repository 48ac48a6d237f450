#include <algorithm>

#include "experiment/metrics/metric.h"

namespace negativa {

namespace {

// Of the plain caption, then of the caption with each of these damages.
std::vector<double> chances(const std::vector<std::string>& damages, const MeasuredPicture& picture, const MetricRoom& room) {
  const std::string plain = room.world->facts(picture.caption).plain;
  std::vector<const UnitVector*> texts{&room.texts->read(plain).vector};
  for (const auto& damage : damages) texts.push_back(&room.texts->read(room.world->damaged(plain, damage)).vector);
  return room.texts->judge().probabilities(*picture.seen, texts);
}

}  // namespace

std::string damage_metric_name(const std::string& damage) {
  std::string name = "damage_" + damage;
  for (char& c : name)
    if (c == ' ') c = '_';
  return name;
}

double probability_of_damage(const std::string& damage, const MeasuredPicture& picture, const MetricRoom& room) {
  const auto& damages = room.world->damages;
  const auto found = std::find(damages.begin(), damages.end(), damage);
  check(found != damages.end(), ErrorKind::input, "[damage] got \"{}\", which the judge's world does not name", damage);
  return chances(damages, picture, room)[static_cast<size_t>(found - damages.begin()) + 1];
}

Metric damage_score() {
  return {"damage",
          "",
          Better::lower,
          {.judge = true, .world = true},
          [](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            return 1 - chances(room.score_damages, picture, room).front();
          }};
}

Metric damage_probability(const std::string& damage) {
  return {damage_metric_name(damage),
          "",
          Better::lower,
          {.judge = true, .world = true},
          [damage](const MeasuredPicture& picture, const MetricRoom& room) -> std::optional<double> {
            return probability_of_damage(damage, picture, room);
          }};
}

}  // namespace negativa
