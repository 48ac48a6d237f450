#include "schedule/guidance.h"

#include <algorithm>

namespace negativa {

namespace {
Tensor rescaled(const Tensor& guided, const Tensor& positive, float share) {
  const auto std_of = [](const Tensor& x) {
    return x.flatten(1).std(/*dim=*/at::IntArrayRef{1}, /*unbiased=*/true).view({-1, 1, 1, 1});
  };
  const auto like_positive = guided * (std_of(positive) / std_of(guided));
  return like_positive * share + guided * (1 - share);
}
}  // namespace

bool guidance_active(int64_t index, int64_t steps, const GuidanceInterval& interval) {
  const double progress = static_cast<double>(index) / static_cast<double>(steps);
  return progress >= interval.begin && progress < interval.end;
}

std::vector<GuidanceTerm> classifier_free(double scale, const GuidanceInterval& interval) {
  if (scale <= 1) return {};
  return {{positive_row, scale, interval}};
}

GuidanceTerm away_from_negative(double scale, const GuidanceInterval& interval) { return {negative_row, -scale, interval}; }

StepGuidance::StepGuidance(const Guidance& guidance, int64_t index, int64_t steps) : rescale_(guidance.rescale) {
  std::copy_if(guidance.terms.begin(), guidance.terms.end(), std::back_inserter(active_),
               [&](const GuidanceTerm& term) { return guidance_active(index, steps, term.interval); });
  rows_ = {positive_row};
  if (!active_.empty()) rows_.push_back(reference_row);
  for (const auto& term : active_) rows_.push_back(term.row);
  std::sort(rows_.begin(), rows_.end());
  rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
}

const Tensor& StepGuidance::prediction_of(int row, const std::vector<Tensor>& predictions) const {
  const auto place = std::find(rows_.begin(), rows_.end(), row) - rows_.begin();
  return predictions[static_cast<size_t>(place)];
}

Tensor StepGuidance::combine(const std::vector<Tensor>& predictions) const {
  check(predictions.size() == rows_.size(), ErrorKind::shape, "[guidance] got {} predictions, expected {}", predictions.size(),
        rows_.size());
  for (const auto& prediction : predictions) check_shape("guidance", prediction, shape_of(predictions.front()));
  const Tensor& positive = prediction_of(positive_row, predictions);
  if (active_.empty()) return positive;
  const Tensor& reference = prediction_of(reference_row, predictions);
  const auto own = std::find_if(active_.begin(), active_.end(), [](const auto& term) { return term.row == positive_row; });
  auto guided = reference + (positive - reference) * static_cast<float>(own == active_.end() ? 1 : own->scale);
  for (const auto& term : active_)
    if (term.row != positive_row)
      guided = guided + (prediction_of(term.row, predictions) - reference) * static_cast<float>(term.scale);
  return rescale_ > 0 ? rescaled(guided, positive, static_cast<float>(rescale_)) : guided;
}

bool runs_row(const Guidance& guidance, int row, const StepRange& range, int64_t steps) {
  for (int64_t i = range.begin; i < range.end; ++i) {
    const StepGuidance step(guidance, i, steps);
    if (std::binary_search(step.rows().begin(), step.rows().end(), row)) return true;
  }
  return false;
}

}  // namespace negativa
