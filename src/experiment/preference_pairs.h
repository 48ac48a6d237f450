#pragma once
// Which of two pictures was preferred, for trainers that learn from that. docs/rating.md, "Pairs for training".
#include "image/events.h"
#include "runs/run_store.h"

namespace negativa {

enum class PairSource { all, people, judge };

struct PreferencePair {
  std::string winner, loser;  // below the run's folder, '/' between
  std::string prompt;
  uint64_t seed = 0;               // of the noise of both
  std::string source;              // "people" or "judge"
  int for_it = 1, against_it = 0;  // answers of people
};

struct PreferencePairs {
  std::vector<PreferencePair> pairs;  // people's first, each in the order of the ratings or the plan
  size_t ties = 0;                    // pairs that were judged and left out
};

// `arms`: of which any two are paired; none named: all that people rated, and for the judge the two of the run's planned
// comparison. People's answers are those of finished ratings, without repeats; of several raters the majority counts. all: the
// judge's verdict on pairs that no person judged. Notices say what is damaged in ratings.jsonl, which ratings are not finished,
// and, with `all`, why a source has nothing. Throws ErrorKind::input for an unknown arm or source without pairs.
struct PairsAsked {
  std::vector<std::string> arms;
  PairSource source = PairSource::all;
};
PreferencePairs preference_pairs(const RunStore& store, const PairsAsked& asked, EventSink& events);

}  // namespace negativa
