#include "stats/compare_sets.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include "base/error.h"
#include "base/text.h"
#include "stats/words.h"

namespace negativa {

namespace {

using Pictures = std::span<const ScoredPicture>;

// A set's pictures by prompt, prompts in order of their first picture.
struct ByPrompt {
  std::vector<std::string_view> prompts;
  std::map<std::string_view, std::vector<size_t>> pictures;
};

ByPrompt by_prompt(Pictures set) {
  ByPrompt result;
  for (size_t i = 0; i < set.size(); ++i) {
    auto& pictures = result.pictures[set[i].prompt];
    if (pictures.empty()) result.prompts.push_back(set[i].prompt);
    pictures.push_back(i);
  }
  return result;
}

void check_set(Pictures set, std::string_view which) {
  check(!set.empty(), ErrorKind::input, "[statistics] the {}set has no picture with a value, expected at least one", which);
  for (const auto& picture : set)
    check(std::isfinite(picture.value), ErrorKind::input, "[statistics] {} has the value {}, expected a finite number",
          picture.name, picture.value);
}

std::vector<double> prompt_means(Pictures set) {
  const ByPrompt grouped = by_prompt(set);
  std::vector<double> means;
  for (const auto prompt : grouped.prompts) {
    const auto& pictures = grouped.pictures.at(prompt);
    double sum = 0;
    for (const size_t i : pictures) sum += set[i].value;
    means.push_back(sum / static_cast<double>(pictures.size()));
  }
  return means;
}

bool all_have_seeds(Pictures set, const std::vector<size_t>& pictures) {
  return std::all_of(pictures.begin(), pictures.end(), [&](size_t i) { return set[i].seed.has_value(); });
}

// Pairs the pictures of one prompt and appends those without a partner to the pairing's lists.
SetPairing::Prompt paired_prompt(Pictures first, Pictures second, std::vector<size_t> mine, std::vector<size_t> theirs,
                                 SetPairing& pairing) {
  const bool by_seed = all_have_seeds(first, mine) && all_have_seeds(second, theirs);
  const auto seed_of = [by_seed](Pictures set, size_t i) { return by_seed ? *set[i].seed : 0; };
  std::stable_sort(mine.begin(), mine.end(), [&](size_t a, size_t b) { return seed_of(first, a) < seed_of(first, b); });
  std::stable_sort(theirs.begin(), theirs.end(), [&](size_t a, size_t b) { return seed_of(second, a) < seed_of(second, b); });
  SetPairing::Prompt result{first[mine.front()].prompt, {}};
  size_t i = 0, j = 0;
  while (i < mine.size() && j < theirs.size()) {
    const uint64_t a = seed_of(first, mine[i]), b = seed_of(second, theirs[j]);
    if (a == b)
      result.pairs.push_back({mine[i++], theirs[j++]});
    else if (a < b)
      pairing.alone_first.push_back(mine[i++]);
    else
      pairing.alone_second.push_back(theirs[j++]);
  }
  pairing.alone_first.insert(pairing.alone_first.end(), mine.begin() + static_cast<std::ptrdiff_t>(i), mine.end());
  pairing.alone_second.insert(pairing.alone_second.end(), theirs.begin() + static_cast<std::ptrdiff_t>(j), theirs.end());
  if (!by_seed && !result.pairs.empty()) ++pairing.prompts_by_order;
  return result;
}

std::vector<std::string> names_of(Pictures set, const std::vector<size_t>& pictures) {
  std::vector<std::string> names;
  for (const size_t i : pictures) names.push_back(set[i].name);
  return names;
}

void compare_paired(SetComparison& result, Pictures first, Pictures second, double level) {
  std::vector<double> firsts, seconds;
  for (const auto& prompt : result.pairing.prompts) {
    double a = 0, b = 0, difference = 0;
    for (const auto& pair : prompt.pairs) {
      a += first[pair.first].value, b += second[pair.second].value;
      difference += second[pair.second].value - first[pair.first].value;  // equal pictures give exactly 0
    }
    const double n = static_cast<double>(prompt.pairs.size());
    firsts.push_back(a / n), seconds.push_back(b / n), result.per_prompt.push_back(difference / n);
  }
  result.first = mean_over_prompts(firsts, Claim::these_sets, false, level);
  result.second = mean_over_prompts(seconds, Claim::these_sets, false, level);
  result.difference = mean_over_prompts(result.per_prompt, Claim::these_sets, true, level);
  result.wilcoxon = wilcoxon(result.per_prompt, Claim::these_sets);
  result.signs = signs(result.per_prompt);
  result.power = power_over_prompts(result.per_prompt, Claim::these_sets, {.alpha = 1 - level});
  result.unpaired_first = names_of(first, result.pairing.alone_first);
  result.unpaired_second = names_of(second, result.pairing.alone_second);
}

size_t pictures_of_smaller(const SetPairing& pairing) {
  return pairing.pairs + std::min(pairing.alone_first.size(), pairing.alone_second.size());
}

std::string left_out_line(const std::vector<std::string>& names, std::string_view set, size_t most_names) {
  const std::vector<std::string> shown(names.begin(),
                                       names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), most_names)));
  const std::string more = names.size() > shown.size() ? fmt::format(" and {} more", names.size() - shown.size()) : "";
  return fmt::format("{} of the {} set without a partner left out: {}{}", count_text(names.size(), "picture"), set,
                     joined(shown, ", "), more);
}

}  // namespace

bool is_worth_pairing(const SetPairing& pairing) {
  return pairing.prompts.size() >= fewest_paired_prompts && 2 * pairing.pairs >= pictures_of_smaller(pairing);
}

SetPairing pair_sets(Pictures first, Pictures second) {
  ByPrompt mine = by_prompt(first), theirs = by_prompt(second);
  SetPairing pairing;
  for (const auto prompt : mine.prompts) {
    auto& pictures = mine.pictures[prompt];
    const auto found = theirs.pictures.find(prompt);
    if (found == theirs.pictures.end()) {
      pairing.alone_first.insert(pairing.alone_first.end(), pictures.begin(), pictures.end());
      continue;
    }
    auto paired = paired_prompt(first, second, std::move(pictures), std::move(found->second), pairing);
    theirs.pictures.erase(found);
    pairing.pairs += paired.pairs.size();
    if (!paired.pairs.empty()) pairing.prompts.push_back(std::move(paired));
  }
  for (const auto& [prompt, pictures] : theirs.pictures)
    pairing.alone_second.insert(pairing.alone_second.end(), pictures.begin(), pictures.end());
  std::sort(pairing.alone_first.begin(), pairing.alone_first.end());
  std::sort(pairing.alone_second.begin(), pairing.alone_second.end());
  return pairing;
}

bool same_prompts_and_counts(Pictures first, Pictures second) {
  const auto mine = by_prompt(first).pictures, theirs = by_prompt(second).pictures;
  return std::equal(mine.begin(), mine.end(), theirs.begin(), theirs.end(),
                    [](const auto& a, const auto& b) { return a.first == b.first && a.second.size() == b.second.size(); });
}

SetComparison compare_sets(Pictures first, Pictures second, double level) {
  check_between_0_and_1(level, "level");
  check_set(first, "first ");
  check_set(second, "second ");
  SetComparison result;
  result.pairing = pair_sets(first, second);
  result.paired = is_worth_pairing(result.pairing);
  if (result.paired) {
    compare_paired(result, first, second, level);
  } else {
    result.first = mean_of_set(first, level);
    result.second = mean_of_set(second, level);
    result.difference = welch_difference(prompt_means(first), prompt_means(second), level);
  }
  return result;
}

Estimate mean_of_set(Pictures pictures, double level) {
  check_set(pictures, "");
  return mean_over_prompts(prompt_means(pictures), Claim::these_sets, false, level);
}

std::vector<std::string> pairing_lines(const SetComparison& comparison, size_t most_names) {
  const SetPairing& pairing = comparison.pairing;
  const std::string prompts = count_text(pairing.prompts.size(), "prompt");
  if (!comparison.paired) {
    const std::string why = pairing.prompts.size() < fewest_paired_prompts
                                ? fmt::format("pictures of {} pair, fewer than {}", prompts, fewest_paired_prompts)
                                : fmt::format("{} of the smaller set's {} pair, less than half",
                                              count_text(pairing.pairs, "picture"), pictures_of_smaller(pairing));
    return {fmt::format("unpaired: {}; all pictures are compared, by Welch's interval over prompt means", why)};
  }
  std::string by = "prompt and seed";
  if (pairing.prompts_by_order == pairing.prompts.size())
    by = "prompt and order, since pictures have no seed";
  else if (pairing.prompts_by_order > 0)
    by += fmt::format(", {} by order, since pictures have no seed", count_text(pairing.prompts_by_order, "prompt"));
  std::vector<std::string> lines{fmt::format("{}, {} of pictures, paired by {}", prompts, count_text(pairing.pairs, "pair"), by)};
  if (!comparison.unpaired_first.empty()) lines.push_back(left_out_line(comparison.unpaired_first, "first", most_names));
  if (!comparison.unpaired_second.empty()) lines.push_back(left_out_line(comparison.unpaired_second, "second", most_names));
  return lines;
}

std::vector<std::string> sentences(const SetComparison& comparison) {
  std::vector<std::string> lines{sentence(comparison.difference)};
  if (comparison.wilcoxon) lines.push_back(sentence(*comparison.wilcoxon));
  if (comparison.signs) lines.push_back(sentence(*comparison.signs));
  if (comparison.power) lines.push_back(sentence(*comparison.power));
  return lines;
}

}  // namespace negativa
