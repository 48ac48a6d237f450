#include "report/metric_facts.h"

#include <algorithm>

namespace negativa {

namespace {

struct Known {
  const char *name, *words, *unit;
  BetterSide better;
};

constexpr Known known[] = {
    {"clip_score", "agreement with the caption", "100 × cosine", BetterSide::higher},
    {"right_object", "probability of the right object", "", BetterSide::higher},
    {"right_object_top1", "right object first", "", BetterSide::higher},
    {"damage", "damage", "", BetterSide::lower},
    {"background_right", "right background", "", BetterSide::higher},
    {"background_distance", "distance to the background asked for", "ΔE", BetterSide::lower},
    {"object_count_right", "right number of objects", "", BetterSide::higher},
    {"blockiness", "blockiness", "grey levels", BetterSide::lower},
    {"sharpness", "sharpness", "grey levels", BetterSide::neither},
    {"clipped", "share of clipped pixels", "", BetterSide::lower},
    {"saturated", "share of saturated pixels", "", BetterSide::neither},
    {"difference", "change to the first arm's picture", "levels of 255", BetterSide::neither},
};

}  // namespace

MetricFacts metric_facts(std::string_view name) {
  for (const auto& one : known)
    if (name == one.name) return {one.words, one.unit, one.better};
  if (!name.starts_with(damage_prefix)) return {std::string(name), "", BetterSide::neither};
  std::string words(name.substr(std::string_view(damage_prefix).size()));
  std::replace(words.begin(), words.end(), '_', ' ');
  return {words, "", BetterSide::lower};
}

std::string damage_column(std::string_view damage) {
  std::string name = damage_prefix + std::string(damage);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

}  // namespace negativa
