#pragma once
// Which pictures of an arm are rejected: what the next round's LoRA is trained on.
#include "engine/engine.h"
#include "experiment/experiment_file.h"
#include "image/events.h"
#include "runs/pair_ratings.h"
#include "runs/run_store.h"

namespace negativa {

struct RejectedPicture {
  std::filesystem::path file;
  std::string prompt;                 // empty: a person's picture
  std::optional<uint64_t> seed = {};  // of its noise
  std::optional<double> damage = {};  // by the judge that chose
};

// Pictures of an arm, in the plan's order, each file once.
enum class OfTrainings { first, all };
std::vector<RejectedPicture> pictures_of_arm(const RunStore& store, const std::string& arm, OfTrainings which);

// How many of `pictures` a share is: rounded, at least one.
size_t count_of_share(double share, size_t pictures);

// The judge that chooses, in a folder; empty: the bundled one. Throws ErrorKind::input where it measures no damage, or is the one
// that judges `file`'s pictures: what chose cannot say whether it helped.
class RejectingJudge {
 public:
  RejectingJudge(Engine& engine, const ExperimentFile& file, const std::filesystem::path& folder, const Caller& caller);
  // Those with the highest damage score, the worst first; of equal ones the earlier.
  std::vector<RejectedPicture> worst(std::vector<RejectedPicture> pictures, size_t count, const RunPlan& plan) const;

 private:
  Engine& engine_;
  const Caller& caller_;
  std::filesystem::path folder_;
  std::vector<std::string> damages_;
};

// As many, each as likely, in the plan's order.
std::vector<RejectedPicture> at_random(std::vector<RejectedPicture> pictures, size_t count, uint64_t seed);

// Those of the run's arm that more answers reject (it lost, or both were bad) than do not, in the plan's order. Answers of plans
// that are not finished and repeats count for nothing.
std::vector<RejectedPicture> rejected_by_people(const RunStore& store, const PairRatings& ratings, const std::string& arm);

// All pictures in a person's folder, by name. Throws ErrorKind::input where there are none, file_format for a broken one.
std::vector<RejectedPicture> pictures_in(const std::filesystem::path& folder);

// Eight digits of a hash of their names and bytes.
std::string content_hash(const std::vector<RejectedPicture>& pictures);
// Copies them into the folder, whole or not at all, as a training set whose every picture has that caption. A folder that is
// there stays as it is. Throws ErrorKind::machine.
void keep_rejects(const std::filesystem::path& folder, const std::string& caption, const std::vector<RejectedPicture>& pictures);

}  // namespace negativa
