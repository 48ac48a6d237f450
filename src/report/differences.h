#pragma once
// One metric in two arms of a run: what pairs, and what that says. The statistics are src/stats'; here is only which pictures go
// in, since a run that is not whole has some of them.
#include <functional>

#include "report/metric_facts.h"
#include "report/run_records.h"
#include "stats/compare_arms.h"

namespace negativa {

// Which pictures count; absent: all. Of a prompt group, say.
using PictureFilter = std::function<bool(const ArmPicture&)>;

struct MetricDifference {
  std::string metric;
  size_t pairs = 0;                         // of pictures that are compared, over all trainings
  size_t unmeasured = 0;                    // planned pairs of which a picture is not measured, or that go with such a one
  size_t without_value = 0;                 // pairs of which the metric says nothing
  std::optional<ArmComparison> comparison;  // arm - baseline; absent: nothing pairs
  std::string why_absent;
};

// Compares the pictures that all kept trainings of both arms have: of a training that has only begun, the training or the
// missing pictures are left out, whichever keeps more. arm, baseline: numbers of plan.arms.
class Differences {
 public:
  // All three must outlive this.
  Differences(const RunPlan& plan, const RunRecords& records);

  MetricDifference compare(int arm, int baseline, const std::string& metric, const PictureFilter& filter = {}) const;
  // The arm's mean over prompts, of every picture measured. Absent: none has a value.
  std::optional<Estimate> mean(int arm, const std::string& metric, const PictureFilter& filter = {}) const;

 private:
  // A value a picture, by training and then by prompt and replicate.
  struct Values;
  Values values_of(int arm, size_t metric, const PictureFilter& filter) const;
  std::optional<size_t> column(const std::string& metric) const;

  const RunPlan& plan_;
  const RunRecords& records_;
  std::vector<std::vector<size_t>> pictures_of_arm_;  // places in records_.pictures
};

}  // namespace negativa
