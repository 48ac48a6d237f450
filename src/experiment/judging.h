#pragma once
// A judge opened for measuring pictures: with its world, the texts it has read, and the damages that count in its damage score.
#include "base/recipe.h"
#include "base/sha256.h"
#include "experiment/calibration.h"
#include "experiment/metrics/metric.h"

namespace negativa {

// The judge's name and a hash of all files that decide what it says, its world among them.
RecipeInput judge_input(const Judge& judge, const Hashing& hashing);

// Neither copied nor moved, since what its metrics share points into it. Safe from several threads but for set_basis and
// take_calibration.
class Judging {
 public:
  // All damages of its world count, uncalibrated. Throws as Judge::load and find_world do.
  explicit Judging(const std::filesystem::path& folder, const CancelToken* cancel = nullptr);
  Judging(const Judging&) = delete;
  Judging& operator=(const Judging&) = delete;

  const Judge& judge() const { return judge_; }
  const World* world() const { return room_.world; }  // null: a judge of pictures at large, for general metrics alone
  const MetricRoom& room() const { return room_; }
  const DamageScoreBasis& basis() const { return basis_; }  // empty without a world

  void set_basis(DamageScoreBasis basis);
  // Those damages count that pass the calibration in the judge's folder, if that is of this judge and of every one of the models
  // whose pictures are measured (model_input's sha256); else all, and what is wrong with it is returned. Without a world nothing
  // changes. Throws as find_calibration does.
  std::string take_calibration(const std::vector<std::string>& model_sha256s, const Hashing& hashing);

  // The metrics of these names, in all_metrics' order. `where` names who asks for them in an error: a name that this judge does
  // not measure (ErrorKind::input).
  std::vector<Metric> metrics(const std::vector<std::string>& names, std::string_view where) const;
  // Of each metric; absent: it says nothing of this picture, or nothing that is a number. Looks at the picture where a metric
  // needs that and picture.seen is not given.
  std::vector<std::optional<double>> measure(MeasuredPicture picture, std::span<const Metric> metrics) const;

 private:
  const Judge judge_;
  const std::optional<World> world_;
  TextMemory texts_;
  MetricRoom room_;
  DamageScoreBasis basis_;
};

}  // namespace negativa
