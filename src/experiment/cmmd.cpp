#include "experiment/cmmd.h"

#include <cmath>

namespace negativa {

namespace {

constexpr double sigma = 10, scale = 1000;

double kernel(const UnitVector& a, const UnitVector& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return std::exp(-squares / (2 * sigma * sigma));
}

}  // namespace

Cmmd::Cmmd(std::span<const UnitVector> pictures, std::span<const UnitVector> reference)
    : count_(pictures.size()), inside_(count_ * count_), across_(count_) {
  check(pictures.size() > 1 && reference.size() > 1, ErrorKind::input,
        "[cmmd] got {} pictures and {} of the reference, expected at least two of each", pictures.size(), reference.size());
  for (size_t i = 0; i < count_; ++i) {
    for (size_t j = 0; j <= i; ++j) inside_[i * count_ + j] = inside_[j * count_ + i] = kernel(pictures[i], pictures[j]);
    for (const UnitVector& other : reference) across_[i] += kernel(pictures[i], other);
    across_[i] /= static_cast<double>(reference.size());
  }
  double pairs = 0;
  for (size_t i = 0; i < reference.size(); ++i)
    for (size_t j = 0; j < i; ++j) pairs += 2 * kernel(reference[i], reference[j]);
  const auto m = static_cast<double>(reference.size());
  reference_unbiased_ = pairs / (m * (m - 1));
  reference_biased_ = (pairs + m) / (m * m);
}

std::optional<double> Cmmd::unbiased(std::span<const size_t> pictures) const {
  double sum = 0, across = 0, pairs = 0;
  for (const size_t i : pictures) {
    across += across_[i];
    for (const size_t j : pictures)
      if (i != j) sum += inside_[i * count_ + j], pairs += 1;
  }
  if (pairs == 0) return {};
  return scale * (sum / pairs + reference_unbiased_ - 2 * across / static_cast<double>(pictures.size()));
}

double Cmmd::biased(std::span<const size_t> pictures) const {
  double sum = 0, across = 0;
  for (const size_t i : pictures) {
    across += across_[i];
    for (const size_t j : pictures) sum += inside_[i * count_ + j];
  }
  const auto n = static_cast<double>(pictures.size());
  return scale * (sum / (n * n) + reference_biased_ - 2 * across / n);
}

}  // namespace negativa
