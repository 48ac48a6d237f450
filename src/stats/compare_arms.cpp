#include "stats/compare_arms.h"

#include "stats/two_way.h"

namespace negativa {

ArmComparison compare_arms(std::span<const Measurement> baseline, std::span<const Measurement> arm, double level) {
  ArmComparison result;
  result.table = paired_differences(baseline, arm);
  const bool trained = !result.table.trainings.empty();
  const Claim claim = trained ? Claim::these_loras : Claim::these_sets;
  const std::vector<double> per_prompt = result.table.per_prompt();
  result.these = mean_over_prompts(per_prompt, claim, true, level);
  result.these.trainings = result.table.trainings.size();
  if (trained) result.made_this_way = loras_made_this_way(result.table, level);
  result.wilcoxon = wilcoxon(per_prompt, claim);
  result.signs = signs(per_prompt);
  return result;
}

std::vector<std::string> sentences(const ArmComparison& comparison) {
  std::vector<std::string> lines{sentence(comparison.these)};
  if (comparison.made_this_way) lines.push_back(sentence(*comparison.made_this_way));
  lines.push_back(sentence(comparison.wilcoxon));
  lines.push_back(sentence(comparison.signs));
  return lines;
}

}  // namespace negativa
