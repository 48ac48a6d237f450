#pragma once
// A mean over prompts with what it claims and how sure it is. The unit is the prompt everywhere in this room: pictures of one
// prompt are alike, so a prompt's noise seeds are averaged before anything is compared, and n is the number of prompts. Pure
// functions, safe from several threads. Throws ErrorKind::input for NaN, infinity, nothing at all, and levels outside (0, 1);
// what cannot be computed from good numbers (one prompt, no spread) is absent with its reason. No result holds a NaN.
#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace negativa {

// What a number speaks of. Without it a number is nothing: three LoRAs can be better for certain, and their recipe not.
enum class Claim {
  these_sets,           // settings or pictures as these, no training in play; on prompts like those measured
  these_loras,          // the trained files at hand, on prompts like those measured; says nothing of another training
  loras_made_this_way,  // any LoRA that the same recipe gives with another training seed, on prompts like those measured
};

struct Interval {
  double low = 0, high = 0;
  double level = 0.95;
};

// A two-sided t interval and the test of "the mean is 0" that belongs to it: the interval leaves 0 out where p_value < 1 - level.
struct Inference {
  double standard_error = 0;
  double degrees_of_freedom = 0;
  Interval interval;
  double p_value = 1;
};

// Claims what `claim` says of the mean over prompts. Units are those of the values.
struct Estimate {
  Claim claim = Claim::these_sets;
  bool difference = true;  // of two arms or sets; else a mean of one
  size_t prompts = 0;
  size_t second_prompts = 0;  // unpaired sets only: prompts of the second one
  size_t trainings = 0;       // 0: none in play
  double mean = 0;
  std::optional<Inference> inference = {};
  std::string why_absent = {};  // why there is no inference; no full stop
};

// The mean of one value a prompt with Student's t interval, n - 1 degrees of freedom. Fills everything but `trainings`.
Estimate mean_over_prompts(std::span<const double> per_prompt, Claim claim, bool difference, double level = 0.95);

// Difference second - first of sets whose prompts have nothing to do with each other: Welch's interval over prompt means, degrees
// of freedom by Welch and Satterthwaite. Claims: these_sets, on prompts like those of either.
Estimate welch_difference(std::span<const double> first, std::span<const double> second, double level = 0.95);

// "for these LoRAs, on prompts like these: +0.42, 95 % from +0.10 to +0.74 (48 prompts x 3 trainings, t interval, p = 0.011)".
// One line; for LoRAs made this way from few trainings it says what the interval may miss, where nothing is computable why.
std::string sentence(const Estimate& estimate);

// Mean, and the inference from it: value 0 is tested.
Inference t_inference(double mean, double standard_error, double df, double level);

}  // namespace negativa
