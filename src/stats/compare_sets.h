#pragma once
// One metric on two sets of pictures that need not belong together: what pairs is paired, what does not is named, and where too
// little pairs the sets are compared unpaired.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/estimate.h"
#include "stats/power.h"
#include "stats/wilcoxon.h"

namespace negativa {

struct ScoredPicture {
  std::string name;  // as a message names it: the file
  std::string prompt;
  std::optional<uint64_t> seed = {};
  double value = 0;  // finite; leave out pictures that the metric says nothing of
};

// Which pictures of two sets belong together. Numbers are places in the two lists.
struct SetPairing {
  struct Pair {
    size_t first = 0, second = 0;
  };
  struct Prompt {
    std::string prompt;
    std::vector<Pair> pairs;  // at least one
  };
  std::vector<Prompt> prompts;                    // in the first set's order
  size_t pairs = 0;                               // of all prompts
  size_t prompts_by_order = 0;                    // of them, those of which a picture has no seed
  std::vector<size_t> alone_first, alone_second;  // pictures without a partner, ascending
};

// Pairs by prompt and seed; where a picture of a prompt has no seed, that prompt's by their order. Pictures of the same prompt
// and seed pair by their order too. Values are not looked at, so one pairing serves all metrics that say something of all
// pictures. O(n log n).
SetPairing pair_sets(std::span<const ScoredPicture> first, std::span<const ScoredPicture> second);

// Whether both have the same prompts and as many pictures of each: what set statistics such as CMMD need to be comparable.
bool same_prompts_and_counts(std::span<const ScoredPicture> first, std::span<const ScoredPicture> second);

inline constexpr size_t fewest_paired_prompts = 5;
// Whether pairs say more than what they leave out: at least that many prompts, and half of the smaller set's pictures. Sets of
// other scenes have a few captions in common by chance.
bool is_worth_pairing(const SetPairing& pairing);

// Claims these_sets: how pictures made as the second set differ from pictures made as the first, on prompts like these.
struct SetComparison {
  bool paired = false;  // is_worth_pairing; false: all pictures stand unpaired, prompt means by Welch
  SetPairing pairing;
  Estimate first, second;                 // means over prompts of what is compared: paired pictures, or all
  Estimate difference;                    // second - first
  std::vector<double> per_prompt;         // paired only: differences of pairing.prompts
  std::optional<Wilcoxon> wilcoxon = {};  // paired only, as the next two
  std::optional<Signs> signs = {};
  std::optional<Power> power = {};
  std::vector<std::string> unpaired_first, unpaired_second;  // names of pictures left out; empty where nothing is (unpaired)
};

// Throws ErrorKind::input for an empty set and values that are no finite numbers, by the picture's name. Thread safe.
SetComparison compare_sets(std::span<const ScoredPicture> first, std::span<const ScoredPicture> second, double level = 0.95);

// A set alone: the mean over prompts of each prompt's mean, with its t interval.
Estimate mean_of_set(std::span<const ScoredPicture> pictures, double level = 0.95);

// How the sets were paired ("48 prompts, 96 pairs of pictures, paired by prompt and seed"; "unpaired: ..."), then a line for each
// set's pictures left out, at most `most_names` by name. The same for every metric of one pairing.
std::vector<std::string> pairing_lines(const SetComparison& comparison, size_t most_names = 10);

// Difference, Wilcoxon, signs, power: what is there, a sentence each.
std::vector<std::string> sentences(const SetComparison& comparison);

}  // namespace negativa
