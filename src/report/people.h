#pragma once
// What people said of pairs of pictures, beside what the judge says: by ratings.jsonl. Nothing is told of a plan before its last
// pair is rated. docs/rating.md, "The verdict". Pure functions, safe from several threads, but for read_people.
#include <map>
#include <utility>

#include "report/run_records.h"
#include "runs/pair_ratings.h"
#include "runs/ratable.h"
#include "stats/preferences.h"

namespace negativa {

// What answers are held against.
struct RatedPicture {
  std::string prompt;
  uint64_t seed = 0;            // of its noise
  std::optional<double> merit;  // by the judge, more is better; absent: it says nothing of the picture
};
struct RatedArms {
  std::vector<std::string> names;                                        // a later one is told over an earlier one …
  std::vector<std::pair<std::string, std::string>> compared;             // … but for these, arm over baseline, which come first
  std::map<std::pair<std::string, std::string>, RatedPicture> pictures;  // by arm and file
  std::string why_no_judge;                                              // one clause; empty: there is one
};
RatedArms rated_arms(const RunPlan& plan, const RunRecords& records);
RatedArms rated_arms(const RatableSet& set);  // without a judge

// A share of answers, with Wilson's interval; absent: of none.
struct AnswerShare {
  size_t hits = 0, of = 0;
  std::optional<Interval> interval = {};
};

struct PeopleComparison {
  WinRate rate;                      // of one arm over the other, repeats left out
  size_t answers = 0, both_bad = 0;  // ties are the answers equal and both_bad
  // Between prompts, of the preference for the arm (1 won, 1/2 a tie, 0 lost) and of how much better the judge finds the same
  // pictures of it; positive: they agree.
  Correlation judge;
};

struct PeopleRater {
  std::string name;         // as given; "": nobody named
  size_t answers = 0;       // repeats left out
  AnswerShare consistency;  // pairs that came back with the sides swapped: whether the same picture won, or neither both times
};

struct RatingProgress {
  std::string rater;
  std::vector<std::string> arms;
  size_t answered = 0, shown = 0;  // repeats counted
};

struct PeopleVerdict {
  // Of plans that were rated to their end. Of a pair that a rater has in several of them the first answer counts.
  std::vector<PeopleRater> raters;            // in the file's order
  std::vector<PeopleComparison> comparisons;  // the planned ones first
  Strengths strengths;                        // of all arms together
  AnswerShare consistency;                    // of all raters
  AnswerShare left;                           // of the answers left and right, repeats left out
  // Krippendorff's alpha over the pairs that several raters answered. The values: the picture of the earlier arm won, of the
  // later one, neither.
  std::optional<double> alpha = {};
  size_t shared_pairs = 0;
  std::string why_no_alpha = {};

  std::vector<RatingProgress> unfinished;  // of which nothing is counted
  std::vector<std::string> notices;        // one line each: what is damaged, or not of these arms

  bool has_verdict() const { return !comparisons.empty(); }
  bool is_empty() const { return !has_verdict() && unfinished.empty() && notices.empty(); }
};

// Throws ErrorKind::input for a level that is not between 0 and 1.
PeopleVerdict people_verdict(const RatedArms& arms, const PairRatings& ratings, const BootstrapOptions& options = {});
PeopleVerdict people_verdict(const RunPlan& plan, const RunRecords& records, const PairRatings& ratings);
// Plans of other folders, whose ratings lie in the same file, are passed over.
PeopleVerdict people_verdict(const RatableSet& set, const PairRatings& ratings);

// Of the file in the run's folder; nothing where there is none. What cannot be read is a notice.
PeopleVerdict read_people(const RunStore& store, const RunPlan& plan, const RunRecords& records);

// "This rater prefers article to nothing: article wins 64 % of pairs, 95 % from 52 % to 75 % (…)."
std::string preference_sentence(const PeopleVerdict& people, const PeopleComparison& comparison);
// Whether the win rate's interval leaves out one half. No level was shared between comparisons.
bool is_clear(const WinRate& rate);
// The rest: both bad, consistency, sides, agreement, and the judge's part. One sentence each, without a rater's name.
std::vector<std::string> sentences(const PeopleVerdict& people);
// The first comparison, or why there is none yet, in one sentence without a rater's name.
std::string short_sentence(const PeopleVerdict& people);
std::string share_text(const AnswerShare& share);  // "75 %, 95 % from 30 % to 95 % (3 of 4, Wilson)"
std::string arms_text(const WinRate& rate);        // "article over nothing"

}  // namespace negativa
