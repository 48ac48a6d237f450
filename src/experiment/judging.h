#pragma once
// A judge opened for measuring pictures: with its world, the texts it has read, and the damages that count in its damage score.
#include "base/sha256.h"
#include "experiment/calibration.h"
#include "experiment/metrics/metric.h"

namespace negativa {

// Neither copied nor moved, since what is shared between its metrics points into it.
class Judging {
 public:
  // All damages count, uncalibrated. Throws as Judge::load and find_world do.
  explicit Judging(const std::filesystem::path& folder, const CancelToken* cancel = nullptr);
  Judging(const Judging&) = delete;
  Judging& operator=(const Judging&) = delete;

  // From now on those damages count that pass the calibration in the judge's folder, if that is of this judge and of the model
  // whose pictures are measured; model_sha256 as in a recipe's inputs (model_input). Else, and without a world, nothing changes.
  // Not while pictures are measured. Throws as find_calibration does.
  void take_calibration(const std::string& model_sha256, const Hashing& hashing);

  const Judge& judge() const { return judge_; }
  const World* world() const { return room_.world; }  // null: a judge of pictures at large, for general metrics alone
  const MetricRoom& room() const { return room_; }
  const DamageScoreBasis& basis() const { return basis_; }  // empty without a world
  // What take_calibration found wrong with the calibration; empty before.
  const std::string& why_not_taken() const { return why_not_taken_; }

  // Safe from several threads, as are the two below.
  const SeenText& read(const std::string& text) const { return texts_->read(text); }
  UnitVector see(const Image8& image) const { return judge_.see(image); }
  // Of each metric, in their order; absent: it says nothing of this picture. Looks at the picture where a metric needs that and
  // `seen` is not given. The metrics are all_metrics(world()) or some of them.
  std::vector<std::optional<double>> measure(const MeasuredPicture& picture, std::span<const Metric> metrics) const;

 private:
  const Judge judge_;
  const std::optional<World> world_;
  const std::unique_ptr<TextMemory> texts_;
  MetricRoom room_;
  DamageScoreBasis basis_;
  std::string why_not_taken_;
};

}  // namespace negativa
