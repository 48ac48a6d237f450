#pragma once
// Intervals for what has no t: a statistic of a whole set of pictures, such as CMMD. Prompts are drawn anew, then the pictures of
// each.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stats/estimate.h"

namespace negativa {

// A statistic of the pictures with these numbers, in any order. A number that stands twice is a picture with its own copy: a
// statistic over pairs leaves such pairs out, or it finds more alike than there is. Absent: not computable from these (all the
// same picture).
using Statistic = std::function<std::optional<double>(std::span<const size_t> pictures)>;

struct BootstrapOptions {
  uint64_t seed = 0;
  size_t resamples = 2000;
  double level = 0.95;
};

// Claims these_sets: how the statistic would vary over other prompts like these and other noise seeds. The percentile interval;
// too narrow for few prompts (below about 20), and no test.
struct BootstrapResult {
  double value = 0;  // of all pictures
  size_t prompts = 0, pictures = 0;
  size_t resamples = 0;
  size_t left_out = 0;  // resamples from which the statistic was not computable
  std::optional<Interval> interval = {};
  std::string why_absent = {};  // one prompt; more than one resample in a hundred left out; no spread
};

// Of values in ascending order, with linear interpolation, as numpy.percentile; share from 0 to 1.
double percentile(std::span<const double> ascending, double share);

// Resample `number` of a stream. Pictures are numbered prompt after prompt: those of prompt p are the pictures_of_prompt[p]
// numbers behind those of the prompts before it. The algorithm, fixed so that it is the same everywhere: state = output `number`
// (from 0) of a splitmix64 seeded with `seed`; from a splitmix64 seeded with that state draw P prompts with replacement, and
// right after each prompt as many of its pictures, with replacement, as it has (SplitMix::below for both).
std::vector<size_t> resample(std::span<const size_t> pictures_of_prompt, uint64_t seed, uint64_t number);

// The interval's ends are percentiles of the resamples' values with linear interpolation (numpy.percentile). Resamples are
// independent of each other and of how many there are; the statistic is called for one after another and may throw to stop. To
// compare two sets drawn from the same prompts and seeds, let the statistic be the difference: the numbers then pick the same
// pictures in both. Throws ErrorKind::input for no prompt, a prompt without pictures, fewer than 100 resamples, NaN or infinity
// from the statistic, and where it has no value for all pictures.
BootstrapResult bootstrap(std::span<const size_t> pictures_of_prompt, const Statistic& statistic,
                          const BootstrapOptions& options = {});

// "0.42, 95 % from 0.31 to 0.55 (2000 resamples of 48 prompts and their pictures, percentiles)"
std::string sentence(const BootstrapResult& result);

}  // namespace negativa
