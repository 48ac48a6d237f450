#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <tuple>

#include "base/error.h"
#include "stats/preferences.h"
#include "stats/words.h"

namespace negativa {

namespace {

// Pairs of each two arms: wins[i * n + j] of i over j, ties[i * n + j] for i < j.
struct Counts {
  size_t n = 0;
  std::vector<double> wins, ties;

  explicit Counts(size_t arms) : n(arms), wins(arms * arms), ties(arms * arms) {}
  double tie_total() const {
    double sum = 0;
    for (const double tie : ties) sum += tie;
    return sum;
  }
  double win_total() const {
    double sum = 0;
    for (const double win : wins) sum += win;
    return sum;
  }
};

// One pair of pictures: arms i < j.
struct Comparison {
  size_t i = 0, j = 0;
  double wins = 0, losses = 0, ties = 0;  // shares of its raters, of i over j
};

Counts counted(const std::vector<std::vector<Comparison>>& prompts, std::span<const size_t> drawn, size_t arms) {
  Counts counts(arms);
  for (const size_t prompt : drawn)
    for (const auto& pair : prompts[prompt]) {
      counts.wins[pair.i * arms + pair.j] += pair.wins;
      counts.wins[pair.j * arms + pair.i] += pair.losses;
      counts.ties[pair.i * arms + pair.j] += pair.ties;
    }
  return counts;
}

// A finite maximum exists where from each arm a chain of "did not lose" leads to every other one (Ford 1957; a tie is neither's
// loss).
bool reaches_all(const Counts& counts, bool forward) {
  std::vector<bool> seen(counts.n);
  std::vector<size_t> open = {0};
  seen[0] = true;
  while (!open.empty()) {
    const size_t at = open.back();
    open.pop_back();
    for (size_t to = 0; to < counts.n; ++to) {
      const double won = forward ? counts.wins[at * counts.n + to] : counts.wins[to * counts.n + at];
      const double tied = counts.ties[std::min(at, to) * counts.n + std::max(at, to)];
      if (seen[to] || (won == 0 && tied == 0)) continue;
      seen[to] = true;
      open.push_back(to);
    }
  }
  return std::all_of(seen.begin(), seen.end(), [](bool each) { return each; });
}

std::string why_no_fit(const Counts& counts) {
  if (counts.n < 2) return "one arm has no strength, at least 2 are compared";
  if (counts.win_total() == 0) return "all pairs are ties";
  if (!reaches_all(counts, true) || !reaches_all(counts, false))
    return "some arms won, or lost, every pair against the others, or were never compared with them";
  return {};
}

// Solves a x = b for a symmetric positive definite a [m,m] by Cholesky's method, in place. False: it is none.
bool solve(std::vector<double>& a, std::vector<double>& b) {
  const size_t m = b.size();
  for (size_t j = 0; j < m; ++j) {
    for (size_t k = 0; k < j; ++k)
      for (size_t i = j; i < m; ++i) a[i * m + j] -= a[i * m + k] * a[j * m + k];
    if (!(a[j * m + j] > 0)) return false;
    const double root = std::sqrt(a[j * m + j]);
    for (size_t i = j; i < m; ++i) a[i * m + j] /= root;
  }
  for (size_t i = 0; i < m; ++i) {
    for (size_t k = 0; k < i; ++k) b[i] -= a[i * m + k] * b[k];
    b[i] /= a[i * m + i];
  }
  for (size_t i = m; i-- > 0;) {
    for (size_t k = i + 1; k < m; ++k) b[i] -= a[k * m + i] * b[k];
    b[i] /= a[i * m + i];
  }
  return true;
}

// Logarithms: strengths of the arms, then the tie parameter where there are ties. The first arm's is held at 0 while fitting.
struct Fit {
  std::vector<double> log_strengths;  // their mean is 0
  double log_tie = 0;
};

class Likelihood {
 public:
  explicit Likelihood(const Counts& counts) : counts_(counts), has_ties_(counts.tie_total() > 0) {}

  size_t parameters() const { return counts_.n - 1 + has_ties_; }

  // -log likelihood at x; gradient and Hessian of it where they are asked for.
  double at(const std::vector<double>& x, std::vector<double>* gradient, std::vector<double>* hessian) const {
    double value = 0;
    for (size_t i = 0; i < counts_.n; ++i)
      for (size_t j = i + 1; j < counts_.n; ++j) value += add(i, j, x, gradient, hessian);
    return value;
  }

 private:
  // The outcomes' features are what the logarithms of their weights are linear in: (1, 0), (0, 1), and (1/2, 1/2) with 1 for the
  // tie. So it is a log-linear model: the gradient is expected less observed features, the Hessian their covariance.
  double add(size_t i, size_t j, const std::vector<double>& x, std::vector<double>* gradient,
             std::vector<double>* hessian) const {
    const double wins = counts_.wins[i * counts_.n + j], losses = counts_.wins[j * counts_.n + i],
                 ties = counts_.ties[i * counts_.n + j];
    const double total = wins + losses + ties;
    if (total == 0) return 0;
    const double a = i == 0 ? 0 : x[i - 1], b = x[j - 1], t = has_ties_ ? x.back() + (a + b) / 2 : 0;
    const double top = std::max({a, b, has_ties_ ? t : a});
    const double pa = std::exp(a - top), pb = std::exp(b - top), pt = has_ties_ ? std::exp(t - top) : 0, sum = pa + pb + pt;
    if (gradient) differentiate({i, j}, {pa / sum, pb / sum, pt / sum}, {wins, losses, ties}, *gradient, *hessian);
    return total * (top + std::log(sum)) - wins * a - losses * b - ties * t;
  }

  void differentiate(std::array<size_t, 2> arms, std::array<double, 3> p, std::array<double, 3> seen,
                     std::vector<double>& gradient, std::vector<double>& hessian) const {
    static constexpr double features[3][3] = {{1, 0, 0}, {0, 1, 0}, {0.5, 0.5, 1}};  // outcome, parameter
    const size_t m = parameters();
    const size_t place[3] = {arms[0] == 0 ? m : arms[0] - 1, arms[1] - 1, has_ties_ ? m - 1 : m};  // m: held
    const double total = seen[0] + seen[1] + seen[2];
    double mean[3] = {};
    for (int o = 0; o < 3; ++o)
      for (int f = 0; f < 3; ++f) mean[f] += p[o] * features[o][f];
    for (int f = 0; f < 3; ++f) {
      if (place[f] == m) continue;
      double observed = 0;
      for (int o = 0; o < 3; ++o) observed += seen[o] * features[o][f];
      gradient[place[f]] += total * mean[f] - observed;
      for (int g = 0; g < 3; ++g) {
        if (place[g] == m) continue;
        double product = 0;
        for (int o = 0; o < 3; ++o) product += p[o] * features[o][f] * features[o][g];
        hessian[place[f] * m + place[g]] += total * (product - mean[f] * mean[g]);
      }
    }
  }

  const Counts& counts_;
  bool has_ties_;
};

// The likelihood is concave in the logarithms; a step that does not improve is halved.
std::optional<Fit> fitted(const Counts& counts) {
  if (!why_no_fit(counts).empty()) return {};
  const Likelihood likelihood(counts);
  const size_t m = likelihood.parameters();
  std::vector<double> x(m);
  constexpr int most_steps = 200;
  for (int step = 0; step < most_steps; ++step) {
    std::vector<double> gradient(m), hessian(m * m);
    const double now = likelihood.at(x, &gradient, &hessian);
    std::vector<double> move = gradient;
    if (!solve(hessian, move)) return {};
    double scale = 1;
    std::vector<double> next(m);
    for (;; scale /= 2) {
      for (size_t i = 0; i < m; ++i) next[i] = x[i] - scale * move[i];
      if (likelihood.at(next, nullptr, nullptr) <= now || scale < 1e-9) break;
    }
    x = next;
    if (std::all_of(move.begin(), move.end(), [&](double each) { return std::abs(scale * each) < 1e-11; })) break;
  }
  Fit fit{std::vector<double>(counts.n), counts.tie_total() > 0 ? x.back() : 0};
  double mean = 0;
  for (size_t i = 1; i < counts.n; ++i) mean += (fit.log_strengths[i] = x[i - 1]);
  mean /= static_cast<double>(counts.n);
  for (double& strength : fit.log_strengths) strength -= mean;
  return fit;
}

// Arms in order of their names, and each prompt's pairs of pictures with their raters' answers averaged.
struct Comparisons {
  std::vector<std::string> arms;
  std::vector<std::vector<Comparison>> prompts;
};

Comparisons comparisons_of(std::span<const Judgement> judgements) {
  std::set<std::string> names;
  for (const auto& judgement : judgements) names.insert({judgement.first, judgement.second});
  Comparisons result{{names.begin(), names.end()}, {}};
  const auto number = [&](const std::string& arm) {
    return static_cast<size_t>(std::lower_bound(result.arms.begin(), result.arms.end(), arm) - result.arms.begin());
  };
  std::map<std::string, std::map<std::tuple<size_t, size_t, std::string>, Comparison>> prompts;
  for (const auto& judgement : judgements) {
    const size_t first = number(judgement.first), second = number(judgement.second);
    check(first != second, ErrorKind::input, "[statistics] got a pair of {} with itself, expected two arms", judgement.first);
    auto& pair = prompts[judgement.prompt][{std::min(first, second), std::max(first, second), judgement.pair}];
    pair.i = std::min(first, second), pair.j = std::max(first, second);
    if (judgement.preferred == Preferred::tie)
      ++pair.ties;
    else
      ++((judgement.preferred == Preferred::first) == (first < second) ? pair.wins : pair.losses);
  }
  for (auto& [prompt, pairs] : prompts) {
    auto& kept = result.prompts.emplace_back();
    for (auto& [key, pair] : pairs) {
      const double answers = pair.wins + pair.losses + pair.ties;
      kept.push_back({pair.i, pair.j, pair.wins / answers, pair.losses / answers, pair.ties / answers});
    }
  }
  return result;
}

// The intervals of all arms from the same resamples of prompts.
void add_intervals(const Comparisons& comparisons, const BootstrapOptions& options, Strengths& strengths) {
  const std::vector<size_t> one_each(comparisons.prompts.size(), 1);
  std::vector<std::optional<Fit>> fits(options.resamples);
  for (size_t i = 0; i < options.resamples; ++i)
    fits[i] = fitted(counted(comparisons.prompts, resample(one_each, options.seed, i), comparisons.arms.size()));
  strengths.resamples = options.resamples;
  strengths.left_out = static_cast<size_t>(std::count(fits.begin(), fits.end(), std::nullopt));
  for (size_t arm = 0; arm < comparisons.arms.size(); ++arm) {
    std::vector<double> values;
    for (const auto& fit : fits)
      if (fit) values.push_back(fit->log_strengths[arm]);
    if (strengths.left_out * 20 > options.resamples || all_alike(values)) {
      strengths.why_absent =
          fmt::format("not computable from {} of {} resamples, too few pairs", strengths.left_out, options.resamples);
      continue;
    }
    std::sort(values.begin(), values.end());
    strengths.arms[arm].interval = {percentile(values, (1 - options.level) / 2), percentile(values, (1 + options.level) / 2),
                                    options.level};
  }
}

}  // namespace

Strengths davidson(std::span<const Judgement> judgements, const BootstrapOptions& options) {
  check_between_0_and_1(options.level, "level");
  check(!judgements.empty(), ErrorKind::input, "[statistics] no pair was judged, expected at least one");
  check(options.resamples >= 100, ErrorKind::input, "[statistics] got {} resamples, expected at least 100", options.resamples);
  const Comparisons comparisons = comparisons_of(judgements);
  std::vector<size_t> all(comparisons.prompts.size());
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  const Counts counts = counted(comparisons.prompts, all, comparisons.arms.size());
  Strengths strengths;
  for (size_t i = 0; i < comparisons.arms.size(); ++i) {
    Strength& arm = strengths.arms.emplace_back(Strength{.arm = comparisons.arms[i]});
    for (size_t j = 0; j < comparisons.arms.size(); ++j)
      arm.pairs +=
          counts.wins[i * counts.n + j] + counts.wins[j * counts.n + i] + counts.ties[std::min(i, j) * counts.n + std::max(i, j)];
  }
  strengths.why_absent = why_no_fit(counts);
  const auto fit = fitted(counts);
  if (!fit) return strengths;
  strengths.tie = counts.tie_total() > 0 ? std::exp(fit->log_tie) : 0;
  for (size_t i = 0; i < counts.n; ++i) strengths.arms[i].log_strength = fit->log_strengths[i];
  if (comparisons.prompts.size() < 2)
    strengths.why_absent = "one prompt has no spread, an interval needs at least 2";
  else
    add_intervals(comparisons, options, strengths);
  return strengths;
}

}  // namespace negativa
