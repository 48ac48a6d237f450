#pragma once
// Guidance: how what the UNet says with several prompts, a row of its batch each, becomes one prediction. Classifier-free
// guidance is Ho & Salimans 2022, arXiv:2207.12598; sums of several such terms are Liu et al. 2022, arXiv:2206.01714.
#include "core/tensor.h"
#include "schedule/split.h"

namespace negativa {

struct GuidanceInterval {
  double begin = 0, end = 1;  // fractions of the run
};

// Guidance only in part of the run: Kynkäänniemi et al. 2024, arXiv:2404.07724, who give the part in sigmas; here it is progress
// through the schedule, index / steps in [0,1), so that it means the same on every grid. Active from `begin` (included) to `end`
// (excluded). `steps` is the whole schedule's, base and refiner together.
bool guidance_active(int64_t index, int64_t steps, const GuidanceInterval& interval);

// Rows of the UNet's batch. Every run has the first two: what guidance leads away from, and the positive prompt. The reference is
// the negative prompt, or, where that has the third row to itself, no prompt.
inline constexpr int reference_row = 0, positive_row = 1, negative_row = 2;

// scale·(row - reference), in part of the run. A negative scale leads away from the row.
struct GuidanceTerm {
  int row = positive_row;
  double scale = 1;
  GuidanceInterval interval;
};

// A step's prediction is reference + sum of scale_k·(row_k - reference) over the terms that are active then, where the positive
// row has scale 1 if no active term is its own: without any, it is the positive row alone. At most one term a row.
struct Guidance {
  std::vector<GuidanceTerm> terms;
  double rescale = 0;  // in [0,1], mixes in the same prediction with the positive row's standard deviation per picture, against
                       // overexposure (Lin et al. 2023, arXiv:2305.08891, section 3.4)
};

// reference + scale·(positive - reference); no term for a scale of 1 or less.
std::vector<GuidanceTerm> classifier_free(double scale, const GuidanceInterval& interval);

// -scale·(negative - reference), scale 0 included: the negative prompt apart from classifier-free guidance. kohya-ss/sd-scripts,
// gen_img.py, negative_scale.
GuidanceTerm away_from_negative(double scale, const GuidanceInterval& interval);

// Guidance of one step, `index` of `steps`.
class StepGuidance {
 public:
  StepGuidance(const Guidance& guidance, int64_t index, int64_t steps);
  // Rows of the batch that the UNet has to run, ascending.
  const std::vector<int>& rows() const { return rows_; }
  // What it says of each of rows(), [B,C,h,w] -> one prediction [B,C,h,w]. Throws ErrorKind::shape when they differ.
  Tensor combine(const std::vector<Tensor>& predictions) const;

 private:
  const Tensor& prediction_of(int row, const std::vector<Tensor>& predictions) const;

  std::vector<GuidanceTerm> active_;
  std::vector<int> rows_;
  double rescale_;
};

// Whether one of these steps at the least runs the row.
bool runs_row(const Guidance& guidance, int row, const StepRange& range, int64_t steps);

}  // namespace negativa
