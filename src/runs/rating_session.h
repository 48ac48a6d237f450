#pragma once
// One person's undertaking to rate pairs of pictures: which pairs, in which order, on which sides, and the answers so far. What
// is shown follows from the plan alone, so that a session that was killed goes on where it was. docs/rating.md.
#include <functional>
#include <optional>

#include "base/file_lock.h"
#include "runs/pair_ratings.h"
#include "runs/ratable.h"

namespace negativa {

// Two pictures of one prompt and seed from two arms.
struct PairToRate {
  std::string prompt;
  uint64_t seed = 0;
  std::string left_arm, right_arm;
  std::string left_picture, right_picture;  // below the set's folder
  bool repeat = false;                      // of an earlier one, with the sides swapped
};

// How many pairs there are: for each two arms as many as prompts and seeds that both have, but for those of which the two share
// the file.
size_t count_pairs(const RatableSet& set);

// The pairs in their order of showing: plan.pairs and repeats_of(plan.pairs), each repeat two places or more behind its first
// showing. Prompts take turns, and so do any two of the arms. A function of set and plan alone, whose arms stand in one order.
// Throws ErrorKind::input where there are fewer pairs.
std::vector<PairToRate> pairs_to_show(const RatableSet& set, const RatingPlan& plan);

struct RatingRequest {
  std::string rater;         // "": nobody named
  std::optional<int> pairs;  // absent: as begun, or 40, or all where there are fewer
};
inline constexpr int usual_pairs = 40;

// One thread at a time.
class RatingSession {
 public:
  using Notice = std::function<void(const std::string&)>;

  // Holds the lock on ratings.jsonl while it lives. Begins a plan, whose line is on disk when it returns, or goes on with the
  // last one of this rater and these arms. Throws ErrorKind::input: a name with control characters or over 100 bytes, more pairs
  // than there are, another number of them than was begun, pictures that are not those of the answers, another session that is
  // open; ErrorKind::machine when the line cannot be written.
  RatingSession(RatableSet set, const RatingRequest& request, const Notice& notice);

  const RatableSet& set() const { return set_; }
  const RatingPlan& plan() const { return plan_; }
  size_t shown() const { return pairs_.size(); }  // in all, repeats counted
  size_t answered() const { return answered_; }   // of these
  bool is_over() const { return answered_ == pairs_.size(); }
  bool can_undo() const { return last_.has_value(); }

  size_t index() const { return current_; }                       // of pair(); shown() at the end
  const PairToRate& pair() const { return pairs_.at(current_); }  // to be answered now; not at the end
  // Which one comes after pair(), unless an answer is taken back; absent: none.
  std::optional<size_t> following() const;
  const PairToRate& pair_at(size_t index) const { return pairs_.at(index); }

  // On disk when it returns. shown_unix_ms, taken_ms as in PairRating.
  void answer(PairAnswer answer, int64_t shown_unix_ms, int64_t taken_ms);
  // Takes the last answer back, once: its pair is the one to be answered then.
  void undo();

 private:
  void begin_or_go_on(const RatingRequest& request, const Notice& notice);
  void take_answers(const std::vector<PairRating>& answers);
  void find_next();

  RatableSet set_;
  FileLock lock_;
  RatingPlan plan_;
  std::vector<PairToRate> pairs_;
  std::vector<bool> has_answer_;  // of pairs_
  size_t answered_ = 0, current_ = 0;
  std::optional<size_t> last_;  // the answer that may be taken back
};

// Whether a session is open on the ratings in this folder, of this process or another.
bool rating_is_open(const std::filesystem::path& folder);

}  // namespace negativa
