#pragma once
// What a report says of a metric by its name. Metrics are measured elsewhere; a run folder has their names and values alone.
#include <string>
#include <string_view>

namespace negativa {

// Which side of a difference is the better one.
enum class BetterSide { higher, lower, neither };

struct MetricFacts {
  std::string words;  // "damage", "probability of the right object"
  std::string unit;   // "" where it is a share or a probability
  BetterSide better = BetterSide::neither;
};

// Of a name that is not known: the name itself, without a better side.
MetricFacts metric_facts(std::string_view name);

inline constexpr const char* damage_prefix = "damage_";  // of one damage's probability: "damage_low_quality"
std::string damage_column(std::string_view damage);      // "damage_low_quality" of "low quality"

}  // namespace negativa
