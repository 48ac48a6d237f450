#pragma once
// CLIP maximum mean discrepancy: Jayasumana et al. 2024, arXiv:2401.09603. How far a set of pictures is from a reference set in a
// judge's eyes, whatever is in them. Gaussian kernel of sigma 10 on embeddings of length 1, times 1000, as the paper's released
// code has it.
#include <span>

#include "vision/judge.h"

namespace negativa {

// Kernel values of a set and a reference, to be summed for the whole set or for a resample of it. O(n (n + m)) time and n * n
// numbers.
class Cmmd {
 public:
  // Throws ErrorKind::input for fewer than two pictures on either side.
  Cmmd(std::span<const UnitVector> pictures, std::span<const UnitVector> reference);

  // The unbiased estimate, which may be negative: pairs of different pictures alone, n (n - 1) of them. In a resample a picture
  // that stands twice makes no pair with its own copy. Absent: no pair is left.
  std::optional<double> unbiased(std::span<const size_t> pictures) const;
  // The released code's: all n * n pairs, those of a picture with itself (and its copies) among them.
  double biased(std::span<const size_t> pictures) const;

 private:
  size_t count_;
  std::vector<double> inside_;  // [n,n] kernel between pictures
  std::vector<double> across_;  // [n] mean kernel to the reference
  double reference_unbiased_ = 0, reference_biased_ = 0;
};

}  // namespace negativa
