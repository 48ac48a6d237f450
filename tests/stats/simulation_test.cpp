// The whole analysis on experiments drawn at random, from pictures' values to the lines of a report: how often it sees what is
// not there, and how often its intervals hold what is. CHECK_SIMULATIONS=4000 runs each cell so often and holds it to the
// narrower bounds.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>

#include "base/error.h"
#include "base/split_mix.h"
#include "stats/compare_arms.h"
#include "stats/two_way.h"

namespace negativa {

namespace {

constexpr double prompt_sd = 1, seed_sd = 1, interaction_sd = 0.5, true_effect = 0.5;

struct Cell {
  bool skewed = false;
  size_t prompts = 0, trainings = 0;
  double training_sd = 0;

  // Of the variance of the mean, with one seed a prompt.
  double share_of_trainings() const {
    const double P = static_cast<double>(prompts), T = static_cast<double>(trainings),
                 by_training = training_sd * training_sd / T;
    return by_training /
           (by_training + (prompt_sd * prompt_sd + seed_sd * seed_sd) / P + interaction_sd * interaction_sd / (P * T));
  }
  std::string name() const {
    return fmt::format("{:6} {:2} prompts, {} training{}, training SD {:.1f}", skewed ? "skewed" : "normal", prompts, trainings,
                       trainings == 1 ? " " : "s", training_sd);
  }
};

// Effects of mean 0 and SD 1: normal (Box and Muller), or Beta(1, 3) centred and scaled.
class Effects {
 public:
  Effects(uint64_t seed, bool skewed) : random_(seed), skewed_(skewed) {}

  double operator()() {
    if (skewed_) return (0.75 - std::cbrt(uniform())) / std::sqrt(3.0 / 80);
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(uniform())), angle = 2 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

 private:
  double uniform() { return (static_cast<double>(random_.next() >> 11) + 0.5) * 0x1p-53; }
  SplitMix random_;
  bool skewed_ = false, has_spare_ = false;
  double spare_ = 0;
};

enum class Truth { effect, nothing_from_these, nothing_from_the_recipe };

// An experiment's pictures, and what is true of them.
struct Drawn {
  std::vector<Measurement> baseline, arm;
  double of_recipe = 0, of_these = 0;
};

void draw(const Cell& cell, Truth truth, Effects& effects, Drawn& drawn) {
  std::vector<double> training(cell.trainings);
  double mean = 0;
  for (auto& effect : training) mean += (effect = cell.training_sd * effects()) / static_cast<double>(cell.trainings);
  drawn.of_recipe = truth == Truth::effect ? true_effect : truth == Truth::nothing_from_these ? -mean : 0;
  drawn.of_these = drawn.of_recipe + mean;
  drawn.baseline.resize(cell.prompts);
  drawn.arm.resize(cell.prompts * cell.trainings);
  for (size_t p = 0; p < cell.prompts; ++p) {
    auto& base = drawn.baseline[p];
    if (base.prompt.empty()) base.prompt = fmt::format("prompt {}", p);
    base.value = 3 + effects();
    const double own = drawn.of_recipe + prompt_sd * effects() + seed_sd * effects();
    for (size_t t = 0; t < cell.trainings; ++t)
      drawn.arm[p * cell.trainings + t] = {base.prompt, static_cast<int64_t>(t), 0,
                                           base.value + own + training[t] + interaction_sd * effects()};
  }
}

// Counts of runs.
struct Outcome {
  int these_covered = 0, made_covered = 0;                     // of a true effect
  int these_alarms = 0, made_alarms = 0, wilcoxon_alarms = 0;  // of none
};

bool covers(const Estimate& estimate, double truth) {
  const Interval& interval = estimate.inference.value().interval;
  return interval.low <= truth && truth <= interval.high;
}

bool alarms(const Estimate& estimate) { return estimate.inference.value().p_value < 0.05; }

Outcome simulated(const Cell& cell, int runs) {
  Outcome outcome;
  Effects effects(static_cast<uint64_t>(cell.prompts * 1000 + cell.trainings * 100) +
                      static_cast<uint64_t>(cell.training_sd * 10) + 50 * cell.skewed,
                  cell.skewed);
  Drawn drawn;
  const auto analysed = [&](Truth truth) {
    draw(cell, truth, effects, drawn);
    return compare_arms(drawn.baseline, drawn.arm);
  };
  for (int i = 0; i < runs; ++i) {
    const ArmComparison with_effect = analysed(Truth::effect);
    outcome.these_covered += covers(with_effect.these, drawn.of_these);
    if (cell.trainings > 1) outcome.made_covered += covers(*with_effect.made_this_way, drawn.of_recipe);
    const ArmComparison without = analysed(Truth::nothing_from_these);
    outcome.these_alarms += alarms(without.these);
    outcome.wilcoxon_alarms += without.wilcoxon.p_value.value() < 0.05;
    if (cell.trainings > 1)
      outcome.made_alarms +=
          alarms(cell.training_sd == 0 ? *without.made_this_way : *analysed(Truth::nothing_from_the_recipe).made_this_way);
  }
  return outcome;
}

struct Bounds {
  double alarms = 9, coverage_low = 91, coverage_high = 99;  // per cent
};

void expect_within(int covered, int alarms, int runs, const Bounds& bounds, const std::string& line) {
  const double coverage = 100.0 * covered / runs, alarm = 100.0 * alarms / runs;
  EXPECT_TRUE(coverage >= bounds.coverage_low && coverage <= bounds.coverage_high) << line << ": covers " << coverage << " %";
  EXPECT_LE(alarm, bounds.alarms) << line;
}

// The report's line says how little such intervals may cover: no less than that, three standard errors of the simulation aside.
void expect_as_said(int covered, int runs, size_t trainings, const std::string& cell) {
  const double said = advice_on_trainings(trainings).lowest_coverage;
  EXPECT_GE(1.0 * covered / runs, said - 3 * std::sqrt(said * (1 - said) / runs)) << cell;
}

void simulate(bool skewed) {
  const char* asked = std::getenv("CHECK_SIMULATIONS");
  const int runs = asked ? std::atoi(asked) : 400;
  ASSERT_GE(runs, 400) << "CHECK_SIMULATIONS is a number of runs, at least 400";
  const Bounds bounds = runs >= 4000 ? Bounds{6.5, 93, 97} : Bounds{};
  const size_t enough = advice_on_trainings(3).enough;
  for (const size_t prompts : {12, 48, 96}) {
    for (const size_t trainings : {1, 3, 5}) {
      for (const double training_sd : {0.0, 0.1, 0.3}) {
        const Cell cell{skewed, prompts, trainings, training_sd};
        const Outcome outcome = simulated(cell, runs);
        const bool bounded = !(skewed && prompts == 12);
        // Beyond the reach of three trainings, as the line itself says; the same with five is held to the bounds.
        const bool too_few = trainings > 1 && trainings < enough && cell.share_of_trainings() > 0.5;
        const auto percent = [runs](int count) { return 100.0 * count / runs; };
        fmt::print("{}: these LoRAs {:4.1f} % covered, {:3.1f} % alarms, Wilcoxon {:4.1f} %{}", cell.name(),
                   percent(outcome.these_covered), percent(outcome.these_alarms), percent(outcome.wilcoxon_alarms),
                   bounded ? "" : " (reported only)");
        if (trainings > 1)
          fmt::print("; made this way {:4.1f} %, {:3.1f} %{}", percent(outcome.made_covered), percent(outcome.made_alarms),
                     too_few ? " (too few trainings)" : "");
        fmt::print("\n");
        if (!bounded) continue;
        expect_within(outcome.these_covered, outcome.these_alarms, runs, bounds, cell.name() + ", these LoRAs");
        if (!skewed) {
          EXPECT_LE(percent(outcome.wilcoxon_alarms), bounds.alarms) << cell.name() << ", Wilcoxon";
        }
        if (too_few)
          expect_as_said(outcome.made_covered, runs, trainings, cell.name());
        else if (trainings > 1)
          expect_within(outcome.made_covered, outcome.made_alarms, runs, bounds, cell.name() + ", made this way");
      }
    }
  }
}

}  // namespace

TEST(Simulation, OfNormalEffectsKeepsAlarmsAndCoverage) { simulate(false); }

TEST(Simulation, OfSkewedEffectsKeepsAlarmsAndCoverage) { simulate(true); }

}  // namespace negativa
