#pragma once
// Answers to pairs of a made run's pictures, as a test gives them.
#include "made_run.h"
#include "report/people.h"

namespace negativa {

class HandRated {
 public:
  explicit HandRated(const RunPlan& plan) : plan_(plan) {}

  // Answers that follow are of this plan.
  HandRated& begin(const std::string& rater, int pairs, const std::vector<std::string>& arms = {"nothing", "article"}) {
    ratings.plans.push_back({fmt::format("{:016x}", ratings.plans.size()), rater, arms, pairs, 1});
    return *this;
  }

  // Of the prompt with this number: what was left, what was right, and the answer.
  HandRated& answer(int prompt, const std::string& left, const std::string& right, PairAnswer given) {
    PairRating rating;
    rating.plan = ratings.plans.back().id;
    for (const auto& one : ratings.answers) rating.index += one.plan == rating.plan;
    rating.prompt = plan_.prompts[static_cast<size_t>(prompt)].text;
    rating.seed = plan_.prompts[static_cast<size_t>(prompt)].noise_seeds[0];
    rating.left_arm = left, rating.right_arm = right;
    rating.left_picture = picture_of(left, prompt), rating.right_picture = picture_of(right, prompt);
    rating.answer = given;
    ratings.answers.push_back(rating);
    return *this;
  }
  HandRated& repeat(int prompt, const std::string& left, const std::string& right, PairAnswer given) {
    answer(prompt, left, right, given);
    ratings.answers.back().repeat = true;
    return *this;
  }

  void write(const fs::path& folder) const {
    for (const auto& plan : ratings.plans) append_plan(folder / pair_ratings_file, plan);
    for (const auto& one : ratings.answers) append_answer(folder / pair_ratings_file, one);
  }

  PairRatings ratings;

 private:
  std::string picture_of(const std::string& arm, int prompt) const {
    for (const auto& cell : plan_.cells)
      if (cell.stage == CellStage::picture && cell.prompt == prompt && cell.replicate == 0 &&
          plan_.arms[static_cast<size_t>(cell.arm)].name == arm)
        return cell.file;
    return "pictures/none.png";
  }

  const RunPlan& plan_;
};

}  // namespace negativa
