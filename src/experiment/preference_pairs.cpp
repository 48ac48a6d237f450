#include "experiment/preference_pairs.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "experiment/judge_pairs.h"
#include "runs/comparison.h"
#include "runs/pair_ratings.h"

namespace negativa {

namespace {

using Arms = std::vector<std::string>;

bool has(const Arms& arms, const std::string& arm) {
  return arms.empty() || std::find(arms.begin(), arms.end(), arm) != arms.end();
}

// Two pictures whichever stands first.
std::pair<std::string, std::string> key_of(const std::string& one, const std::string& other) { return std::minmax(one, other); }

void check_arms(const RunPlan& plan, const Arms& asked) {
  Arms known;
  for (const auto& arm : plan.arms) known.push_back(arm.name);
  for (const auto& arm : asked)
    check(has(known, arm), ErrorKind::input, "[--arms] the run has no arm {}{}; it has {}", json_excerpt(Json(arm)),
          did_you_mean(arm, known), joined(known, ", "));
  const std::set<std::string> different(asked.begin(), asked.end());
  check(asked.empty() || (different.size() == asked.size() && asked.size() > 1), ErrorKind::input,
        "[--arms] expected two different arms or more");
}

class PairCollector {
 public:
  PairCollector(const RunStore& store, const PairsAsked& asked, EventSink& events)
      : store_(store), plan_(*store.frozen()), asked_(asked), events_(events) {}

  void take_people() {
    const PairRatings ratings = read_pair_ratings(store_.folder() / pair_ratings_file);
    for (const auto& line : ratings.notices) events_.on_notice(line);
    for (const auto& plan : ratings.plans)
      if (!is_finished(ratings, plan))
        events_.on_notice(fmt::format("a rating of {} is not finished and counts for nothing", joined(plan.arms, " and ")));
    std::vector<PreferencePair> judged;
    std::map<std::pair<std::string, std::string>, size_t> places;
    for (const auto& answer : counted_answers(ratings)) {
      if (!has(asked_.arms, answer.left_arm) || !has(asked_.arms, answer.right_arm)) continue;
      const auto [place, is_new] = places.try_emplace(key_of(answer.left_picture, answer.right_picture), judged.size());
      if (is_new) judged.push_back({answer.left_picture, answer.right_picture, answer.prompt, answer.seed, "people", 0, 0});
      PreferencePair& pair = judged[place->second];
      const PairAnswer for_first = pair.winner == answer.left_picture ? PairAnswer::left : PairAnswer::right;
      if (answer.answer == PairAnswer::left || answer.answer == PairAnswer::right)
        ++(answer.answer == for_first ? pair.for_it : pair.against_it);
    }
    for (auto& pair : judged) take(std::move(pair));
  }

  void take_judge() {
    const Arms arms = judged_arms();
    for (size_t i = 0; i < arms.size(); ++i)
      for (size_t j = i + 1; j < arms.size(); ++j)
        for (const auto& pair : judged_pairs(store_, plan_, arms[i], arms[j])) {
          if (known_.contains(key_of(pair.first->file, pair.second->file))) continue;
          const Preferred preferred = pair.judgement.preferred;
          take({pair.first->file, pair.second->file, pair.judgement.prompt, pair.seed, "judge", preferred == Preferred::first,
                preferred == Preferred::second});
        }
  }

  PreferencePairs result() { return std::move(pairs_); }
  bool has_any() const { return !known_.empty(); }

 private:
  Arms judged_arms() const {
    if (!asked_.arms.empty()) return asked_.arms;
    if (const auto planned = arms_of_comparison(plan_, plan_.analysis.primary))
      return {plan_.arms[static_cast<size_t>(planned->first)].name, plan_.arms[static_cast<size_t>(planned->second)].name};
    check(plan_.arms.size() == 2, ErrorKind::input, "[--arms] are needed, as the run plans no comparison");
    return {plan_.arms[0].name, plan_.arms[1].name};
  }

  void take(PreferencePair pair) {
    if (!known_.insert(key_of(pair.winner, pair.loser)).second) return;
    if (pair.for_it == pair.against_it) {
      ++pairs_.ties;
      return;
    }
    if (pair.for_it < pair.against_it) {
      std::swap(pair.winner, pair.loser);
      std::swap(pair.for_it, pair.against_it);
    }
    pairs_.pairs.push_back(std::move(pair));
  }

  const RunStore& store_;
  const RunPlan& plan_;
  const PairsAsked& asked_;
  EventSink& events_;
  PreferencePairs pairs_;
  std::set<std::pair<std::string, std::string>> known_;
};

}  // namespace

PreferencePairs preference_pairs(const RunStore& store, const PairsAsked& asked, EventSink& events) {
  check(store.frozen().has_value(), ErrorKind::input, "[{}] has no plan yet; negativa experiment run begins it",
        store.folder().string());
  check_arms(*store.frozen(), asked.arms);
  PairCollector collector(store, asked, events);
  if (asked.source != PairSource::judge) collector.take_people();
  check(asked.source != PairSource::people || collector.has_any(), ErrorKind::input,
        "[{}] has no finished rating of these arms; negativa rate {} makes one", store.folder().string(),
        store.folder().string());
  if (asked.source == PairSource::judge) collector.take_judge();
  if (asked.source == PairSource::all) try {
      collector.take_judge();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::input || !collector.has_any()) throw;
      events.on_notice(fmt::format("the judge's pairs are left out: {}", error.what()));
    }
  return collector.result();
}

}  // namespace negativa
