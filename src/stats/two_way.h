#pragma once
// "LoRAs made this way": what a table of prompts x trainings says of the recipe. Prompts and trainings are both samples, so both
// add to the error of the mean; more prompts do not help against three trainings that differ.
#include <cstddef>
#include <string>

#include "stats/estimate.h"
#include "stats/paired.h"

namespace negativa {

// Mean squares of a table of P prompts x T trainings (two-way analysis of variance, one value a cell, both factors random).
struct TwoWay {
  size_t prompts = 0, trainings = 0;
  double grand_mean = 0;
  double ms_prompts = 0;      // P - 1 degrees of freedom
  double ms_trainings = 0;    // T - 1
  double ms_interaction = 0;  // (P - 1)(T - 1); prompt x training and the noise that trainings do not share
};

// Throws ErrorKind::input for fewer than 2 prompts or trainings.
TwoWay two_way(const DifferenceTable& table);

// Claims loras_made_this_way. Variance of the grand mean (MS_P + MS_T - MS_E) / (P T), at least MS_E / (P T); degrees of freedom
// by Satterthwaite, (MS_P + MS_T - MS_E)^2 / (MS_P^2 / (P-1) + MS_T^2 / (T-1) + MS_E^2 / ((P-1)(T-1))) with the same floor, and
// at least the smaller of P-1 and T-1, which only the subtracted MS_E could fall below. Absent with its reason for one training
// (it says nothing of how trainings differ), one prompt, no spread.
Estimate loras_made_this_way(const DifferenceTable& table, double level = 0.95);

// What Satterthwaite's interval loses with few trainings: where trainings make up most of the variance, its coverage falls short
// of its level, whatever the number of prompts.
struct TrainingsAdvice {
  size_t trainings = 0;
  double level = 0.95;
  double lowest_coverage = 0;  // for normal effects and many prompts, over all shares that trainings can have of the variance
  size_t enough = 0;           // trainings whose intervals miss at most 1.2 (1 - level) in the same worst case; 0: not below 30
};

// trainings at least 2, else ErrorKind::input. Some milliseconds the first time, then remembered.
TrainingsAdvice advice_on_trainings(size_t trainings, double level = 0.95);

// "; with 3 trainings such intervals may cover only 92 %, 5 trainings would hold 95 %", or nothing where the trainings are
// enough.
std::string caution(const TrainingsAdvice& advice);

}  // namespace negativa
