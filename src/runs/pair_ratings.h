#pragma once
// What people said of pairs of pictures: ratings.jsonl in a run's folder (or beside a folder pair), a JSON object a line, only
// ever appended to. It is the truth; indexes are made from it.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

inline constexpr const char* pair_ratings_file = "ratings.jsonl";

enum class PairAnswer { left, right, equal, both_bad };
std::optional<PairAnswer> pair_answer_from(std::string_view word);  // "both_bad"; absent: it is none

inline constexpr int most_pairs = 100'000;

// A rater's undertaking, written before the first pair is shown: {"kind": "plan", …}. There is no verdict before its last pair.
struct RatingPlan {
  std::string id;                 // 16 hex digits, random
  std::string rater;              // as given; "" where nobody was named
  std::vector<std::string> arms;  // two or more; pairs are of any two of them
  int pairs = 0;                  // to be rated, without repeats; 1 to most_pairs
  uint64_t seed = 0;              // of the coin for sides and of the order
};

// How many of a plan's pairs come back with the sides swapped, on top of their number: one in ten, rounded; a plan shows
// `pairs` + this many.
int repeats_of(int pairs);

// One answer: {"kind": "answer", …}. Taken back by a later line {"kind": "undo", "plan", "index"}.
struct PairRating {
  std::string plan;     // RatingPlan::id
  int index = 0;        // position in the plan's order of showing, repeats counted
  bool repeat = false;  // shown before with the sides swapped, to measure consistency; counts for nothing else
  std::string prompt;   // the prompt's text
  uint64_t seed = 0;    // of the pictures' noise
  std::string left_arm, right_arm;
  std::string left_picture, right_picture;  // paths below the run's folder ("pictures/….png"), '/' between
  PairAnswer answer = PairAnswer::equal;
  int64_t shown_unix_ms = 0;
  int64_t taken_ms = 0;  // from both pictures painted to the answer
};

struct PairRatings {
  std::vector<RatingPlan> plans;
  std::vector<PairRating> answers;   // in the file's order, without those taken back; each has its plan
  std::vector<std::string> notices;  // a line for each thing that was damaged and left out
};

// An absent file: nothing rated. A cut last line, broken lines, answers without a plan, of an unknown arm or given twice (two
// writers) are left out with a notice; a clock that went back is only noticed. Throws ErrorKind::input where `file` is not a
// file.
PairRatings read_pair_ratings(const std::filesystem::path& file);

// How many pairs a plan shows, repeats counted.
int shown_of(const RatingPlan& plan);
// Whether every pair of the plan is answered, repeats too: before that nothing is made of its answers.
bool is_finished(const PairRatings& ratings, const RatingPlan& plan);
// Those of finished plans, without repeats, in the file's order.
std::vector<PairRating> counted_answers(const PairRatings& ratings);

// Appends one line and has it on disk when it returns; a cut last line before it is ended first. One process at a time (the
// caller holds the lock). Throws ErrorKind::machine.
void append_plan(const std::filesystem::path& file, const RatingPlan& plan);
void append_answer(const std::filesystem::path& file, const PairRating& answer);
void append_undo(const std::filesystem::path& file, const std::string& plan, int index);

}  // namespace negativa
