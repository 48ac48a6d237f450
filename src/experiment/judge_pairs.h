#pragma once
// Pairs of pictures as the judge sees them: which of two pictures of one prompt and noise is the better one.
#include "runs/run_store.h"
#include "stats/preferences.h"

namespace negativa {

// What the judge says of a picture.
struct JudgedPicture {
  const PlannedCell* cell = nullptr;  // of the picture, in the plan
  double damage = 0;
  std::optional<double> right_object = {};  // absent: the prompt names no object that the judge knows
};

// A picture wins when its damage score is lower and its probability of the right object is not lower by more than
// `most_lost_object`; both or neither: a tie. Of a prompt without an object that the judge knows the damage alone decides.
inline constexpr double most_lost_object = 0.05;
Preferred judge_prefers(const JudgedPicture& first, const JudgedPicture& second);

// Two pictures of one prompt and noise seed, and of one training where both arms have trained LoRAs.
struct JudgedPair {
  Judgement judgement;
  uint64_t seed = 0;  // of the noise
  const PlannedCell *first = nullptr, *second = nullptr;
};

// All such pairs of these two arms, in the plan's order, but for pictures that both arms share. The cells are the plan's, which
// has to outlive them. Throws ErrorKind::input for a run whose judge measures no damage, an arm that there is none of, and
// pictures that are not measured.
std::vector<JudgedPair> judged_pairs(const RunStore& store, const RunPlan& plan, const std::string& first,
                                     const std::string& second);
std::vector<Judgement> judgements_of(const std::vector<JudgedPair>& pairs);

// The pictures of one arm, as above.
std::vector<JudgedPicture> judged_pictures(const RunStore& store, const RunPlan& plan, const std::string& arm);

}  // namespace negativa
