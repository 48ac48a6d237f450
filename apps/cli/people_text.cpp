#include "people_text.h"

#include "base/json.h"

namespace negativa::cli {

namespace {

// With an interval or the reason why there is none.
void add_interval(Json& json, const std::optional<Interval>& interval, const std::string& why_absent) {
  if (interval)
    json["interval"] = {interval->low, interval->high};
  else if (!why_absent.empty())
    json["why_absent"] = why_absent;
}

Json json_of(const AnswerShare& share) {
  Json json = {{"hits", share.hits}, {"of", share.of}};
  add_interval(json, share.interval, "");
  return json;
}

Json json_of(const PeopleComparison& comparison) {
  const WinRate& rate = comparison.rate;
  Json json = {{"first", rate.first},
               {"second", rate.second},
               {"win_rate", rate.rate},
               {"method", rate.method == WinRateMethod::wilson ? "wilson" : "bootstrap"},
               {"pairs", rate.pairs},
               {"prompts", rate.prompts},
               {"wins", rate.wins},
               {"losses", rate.losses},
               {"ties", rate.ties},
               {"answers", comparison.answers},
               {"both_bad", comparison.both_bad}};
  add_interval(json, rate.interval, rate.why_absent);
  Json judge = {{"prompts", comparison.judge.points}};
  if (comparison.judge.value) judge["spearman"] = *comparison.judge.value;
  add_interval(judge, comparison.judge.interval, comparison.judge.why_absent);
  json["judge"] = judge;
  return json;
}

Json json_of(const Strengths& strengths) {
  Json arms = Json::array();
  for (const auto& arm : strengths.arms) {
    Json json = {{"arm", arm.arm}, {"pairs", arm.pairs}};
    if (strengths.tie) json["log_strength"] = arm.log_strength;
    add_interval(json, arm.interval, "");
    arms.push_back(json);
  }
  Json json = {{"arms", arms}};
  if (strengths.tie) json["tie"] = *strengths.tie;
  if (!strengths.why_absent.empty()) json["why_absent"] = strengths.why_absent;
  return json;
}

}  // namespace

std::string line_of(const PeopleVerdict& people) { return people.is_empty() ? "" : "people: " + short_sentence(people) + "\n"; }

std::string text_of(const PeopleVerdict& people) {
  std::string text;
  for (const auto& comparison : people.comparisons) text += preference_sentence(people, comparison) + "\n";
  if (!people.has_verdict()) text += short_sentence(people) + "\n";
  for (const auto& line : sentences(people)) text += line + "\n";
  return text;
}

std::string json_of(const PeopleVerdict& people) {
  Json comparisons = Json::array(), raters = Json::array(), unfinished = Json::array();
  for (const auto& one : people.comparisons) comparisons.push_back(json_of(one));
  for (const auto& one : people.raters)
    raters.push_back({{"rater", one.name}, {"answers", one.answers}, {"consistency", json_of(one.consistency)}});
  for (const auto& one : people.unfinished)
    unfinished.push_back({{"rater", one.rater}, {"arms", one.arms}, {"answered", one.answered}, {"shown", one.shown}});
  Json json = {{"verdict", short_sentence(people)},
               {"comparisons", comparisons},
               {"raters", raters},
               {"unfinished", unfinished},
               {"notices", people.notices}};
  if (people.has_verdict()) {
    json["strengths"] = json_of(people.strengths);
    json["consistency"] = json_of(people.consistency);
    json["left"] = json_of(people.left);
    json["agreement"] = {{"pairs", people.shared_pairs}};
    if (people.alpha)
      json["agreement"]["alpha"] = *people.alpha;
    else
      json["agreement"]["why_absent"] = people.why_no_alpha;
  }
  return json.dump(2) + "\n";
}

}  // namespace negativa::cli
