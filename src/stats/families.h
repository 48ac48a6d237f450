#pragma once
// Several comparisons at once: how a family of tests and of intervals keeps its error. Safe from several threads.
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace negativa {

// Holm's step-down adjustment, in the order given: rejecting where an adjusted p is below alpha keeps the chance of any false
// alarm in the family at alpha, whatever the dependence. A comparison that could not be computed stays absent and still counts:
// it was planned. Throws ErrorKind::input for a p outside [0, 1].
std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p_values);

// Level for each of `comparisons` intervals so that all of them hold together at `level` (Bonferroni): 1 - (1 - level) /
// comparisons. For the plot of a family; wider than what Holm's tests would reject. Throws ErrorKind::input for no comparison.
double simultaneous_level(double level, size_t comparisons);

}  // namespace negativa
