#include "report/people.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "report/metric_facts.h"
#include "runs/comparison.h"
#include "stats/shares.h"

namespace negativa {

namespace {

using Answers = std::vector<const PairRating*>;

Preferred picture_preferred(const PairRating& rating) {  // first: the left one
  return rating.answer == PairAnswer::left    ? Preferred::first
         : rating.answer == PairAnswer::right ? Preferred::second
                                              : Preferred::tie;
}

Preferred swapped(Preferred preferred) {
  return preferred == Preferred::tie ? Preferred::tie : preferred == Preferred::first ? Preferred::second : Preferred::first;
}

AnswerShare share_of(size_t hits, size_t of, double level) {
  AnswerShare share{hits, of};
  if (of > 0) share.interval = wilson(hits, of, level);
  return share;
}

// Why a plan is not of these arms and pictures, in one clause; empty: it is.
std::string why_foreign(const RatedArms& arms, const RatingPlan& plan, const Answers& answers) {
  for (const auto& arm : plan.arms)
    if (std::find(arms.names.begin(), arms.names.end(), arm) == arms.names.end())
      return fmt::format("compares the arm {}, which is not there", json_excerpt(Json(arm)));
  for (const auto* answer : answers)
    for (const auto& [arm, file] :
         {std::pair(answer->left_arm, answer->left_picture), std::pair(answer->right_arm, answer->right_picture)}) {
      const auto found = arms.pictures.find({arm, file});
      if (found == arms.pictures.end() || found->second.prompt != answer->prompt || found->second.seed != answer->seed)
        return fmt::format("is of the picture {}, which its arm, prompt and seed do not have", json_excerpt(Json(file)));
    }
  return {};
}

// The same two pictures of the same two arms, whatever side they were on. Arms by their numbers, the smaller first.
struct PairKey {
  size_t earlier = 0, later = 0;
  std::string earlier_picture, later_picture;
  auto operator<=>(const PairKey&) const = default;
};

// An answer that counts, turned so that `first` is the earlier arm.
struct Vote {
  PairKey pair;
  std::string prompt;
  size_t rater = 0;
  Preferred preferred = Preferred::tie;
  bool is_both_bad = false;
};

class PeopleCount {
 public:
  PeopleCount(const RatedArms& arms, const BootstrapOptions& options) : arms_(arms), options_(options) {}

  void take(const RatingPlan& plan, const Answers& answers) {
    if (const std::string why = why_foreign(arms_, plan, answers); !why.empty()) {
      result_.notices.push_back(fmt::format("a rating of {} {}; it is not counted",
                                            plan.rater.empty() ? "nobody named" : json_excerpt(Json(plan.rater)), why));
    } else if (const auto shown = static_cast<size_t>(shown_of(plan)); answers.size() < shown) {
      result_.unfinished.push_back({plan.rater, plan.arms, answers.size(), shown});
    } else {
      const size_t rater = rater_named(plan.rater);
      take_votes(answers, rater);
      take_repeats(answers, rater);
    }
  }

  PeopleVerdict result() {
    for (size_t i = 0; i < result_.raters.size(); ++i)
      result_.raters[i].consistency = share_of(result_.raters[i].consistency.hits, result_.raters[i].consistency.of, level());
    result_.consistency = share_of(result_.consistency.hits, result_.consistency.of, level());
    result_.left = share_of(result_.left.hits, result_.left.of, level());
    if (votes_.empty()) return std::move(result_);
    for (const auto& [arm, baseline] : comparisons()) result_.comparisons.push_back(compared(arm, baseline));
    result_.strengths = davidson(judgements(), options_);
    add_agreement();
    return std::move(result_);
  }

 private:
  double level() const { return options_.level; }

  size_t number_of(const std::string& arm) const {
    return static_cast<size_t>(std::find(arms_.names.begin(), arms_.names.end(), arm) - arms_.names.begin());
  }

  size_t rater_named(const std::string& name) {
    const auto found =
        std::find_if(result_.raters.begin(), result_.raters.end(), [&](const auto& one) { return one.name == name; });
    if (found != result_.raters.end()) return static_cast<size_t>(found - result_.raters.begin());
    result_.raters.push_back({name, 0, {}});
    return result_.raters.size() - 1;
  }

  void take_votes(const Answers& answers, size_t rater) {
    for (const auto* answer : answers) {
      if (answer->repeat) continue;
      result_.left.hits += answer->answer == PairAnswer::left;
      result_.left.of += answer->answer == PairAnswer::left || answer->answer == PairAnswer::right;
      const size_t left = number_of(answer->left_arm), right = number_of(answer->right_arm);
      const Preferred preferred = picture_preferred(*answer);
      Vote vote{left < right ? PairKey{left, right, answer->left_picture, answer->right_picture}
                             : PairKey{right, left, answer->right_picture, answer->left_picture},
                answer->prompt, rater, left < right ? preferred : swapped(preferred), answer->answer == PairAnswer::both_bad};
      if (!voted_.emplace(rater, vote.pair).second) continue;
      ++result_.raters[rater].answers;
      votes_.push_back(std::move(vote));
    }
  }

  void take_repeats(const Answers& answers, size_t rater) {
    for (const auto* repeat : answers) {
      if (!repeat->repeat) continue;
      const auto first = std::find_if(answers.begin(), answers.end(), [&](const PairRating* one) {
        return !one->repeat && one->left_picture == repeat->right_picture && one->right_picture == repeat->left_picture;
      });
      if (first == answers.end()) continue;
      const bool is_same = picture_preferred(**first) == swapped(picture_preferred(*repeat));
      for (auto* share : {&result_.raters[rater].consistency, &result_.consistency}) {
        share->hits += is_same;
        ++share->of;
      }
    }
  }

  // Numbers of arm and baseline of what was compared.
  std::vector<std::pair<size_t, size_t>> comparisons() const {
    std::set<std::pair<size_t, size_t>> left;  // the smaller number first
    for (const auto& vote : votes_) left.emplace(vote.pair.earlier, vote.pair.later);
    std::vector<std::pair<size_t, size_t>> ordered;
    for (const auto& [arm, baseline] : arms_.compared) {
      const std::pair numbers(number_of(arm), number_of(baseline));
      if (left.erase(std::minmax(numbers.first, numbers.second)) > 0) ordered.push_back(numbers);
    }
    for (const auto& [earlier, later] : left) ordered.emplace_back(later, earlier);
    return ordered;
  }

  std::vector<Judgement> judgements() const {
    std::vector<Judgement> judgements;
    for (const auto& vote : votes_)
      judgements.push_back({arms_.names[vote.pair.earlier], arms_.names[vote.pair.later], vote.prompt,
                            vote.pair.earlier_picture + '\0' + vote.pair.later_picture, vote.preferred});
    return judgements;
  }

  PeopleComparison compared(size_t arm, size_t baseline) const {
    PeopleComparison comparison;
    comparison.rate = win_rate(judgements(), arms_.names[arm], arms_.names[baseline], options_);
    for (const auto& vote : votes_) {
      if (vote.pair.earlier != std::min(arm, baseline) || vote.pair.later != std::max(arm, baseline)) continue;
      ++comparison.answers;
      comparison.both_bad += vote.is_both_bad;
    }
    comparison.judge = with_judge(arm, baseline);
    return comparison;
  }

  std::optional<double> merit(size_t arm, const std::string& picture) const {
    return arms_.pictures.at({arms_.names[arm], picture}).merit;
  }

  // Raters are averaged within a pair, then pairs within a prompt, as in the win rate.
  Correlation with_judge(size_t arm, size_t baseline) const {
    struct Sum {
      double value = 0, count = 0;
      double mean() const { return value / count; }
    };
    Correlation none{.why_absent = arms_.why_no_judge};
    if (!none.why_absent.empty()) return none;
    std::map<std::string, std::map<PairKey, Sum>> prompts;
    for (const auto& vote : votes_) {
      if (vote.pair.earlier != std::min(arm, baseline) || vote.pair.later != std::max(arm, baseline)) continue;
      const Preferred preferred = arm < baseline ? vote.preferred : swapped(vote.preferred);
      Sum& sum = prompts[vote.prompt][vote.pair];
      sum.value += preferred == Preferred::first ? 1 : preferred == Preferred::tie ? 0.5 : 0;
      ++sum.count;
    }
    std::vector<double> people, judge;
    for (const auto& [prompt, pairs] : prompts) {
      Sum preference, difference;
      for (const auto& [pair, sum] : pairs) {
        const auto earlier = merit(pair.earlier, pair.earlier_picture), later = merit(pair.later, pair.later_picture);
        if (!earlier || !later) continue;
        preference.value += sum.mean(), ++preference.count;
        difference.value += arm < baseline ? *earlier - *later : *later - *earlier, ++difference.count;
      }
      if (preference.count == 0) continue;
      people.push_back(preference.mean());
      judge.push_back(difference.mean());
    }
    if (!people.empty()) return spearman(people, judge, options_);
    none.why_absent = "no pair of these is measured";
    return none;
  }

  void add_agreement() {
    std::map<PairKey, std::vector<int>> values;
    for (const auto& vote : votes_) values[vote.pair].push_back(static_cast<int>(vote.preferred));
    std::vector<std::vector<int>> units;
    for (auto& [pair, given] : values)
      if (given.size() >= 2) units.push_back(std::move(given));
    result_.shared_pairs = units.size();
    result_.alpha = krippendorff_alpha(units);
    if (!result_.alpha)
      result_.why_no_alpha = result_.raters.size() < 2 ? "there is one rater"
                             : units.empty()           ? "no pair was rated by two"
                                                       : "all answers to the pairs that several rated are the same";
  }

  const RatedArms& arms_;
  const BootstrapOptions options_;
  PeopleVerdict result_;
  std::vector<Vote> votes_;
  std::set<std::pair<size_t, PairKey>> voted_;  // rater and pair
};

bool is_of(const std::vector<std::string>& arms, const RatingPlan& plan) {
  return std::all_of(plan.arms.begin(), plan.arms.end(),
                     [&](const auto& arm) { return std::find(arms.begin(), arms.end(), arm) != arms.end(); });
}

}  // namespace

RatedArms rated_arms(const RunPlan& plan, const RunRecords& records) {
  RatedArms rated;
  for (const auto& arm : plan.arms) rated.names.push_back(arm.name);
  std::vector<std::string> texts = plan.analysis.secondary;
  texts.insert(texts.begin(), plan.analysis.primary);
  for (const auto& text : texts)
    if (const auto arms = arms_of_comparison(plan, text))
      rated.compared.emplace_back(rated.names[static_cast<size_t>(arms->first)], rated.names[static_cast<size_t>(arms->second)]);
  const std::string& metric = plan.analysis.metric;
  const MetricFacts facts = metric_facts(metric);
  const auto column =
      static_cast<size_t>(std::find(plan.metric_names.begin(), plan.metric_names.end(), metric) - plan.metric_names.begin());
  if (column == plan.metric_names.size()) rated.why_no_judge = metric + " was not measured";
  if (facts.better == BetterSide::neither) rated.why_no_judge = facts.words + " has no better side";
  const double sign = facts.better == BetterSide::lower ? -1 : 1;
  for (const auto& picture : records.pictures) {
    const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(picture.prompt)];
    RatedPicture seen{prompt.text, prompt.noise_seeds[static_cast<size_t>(picture.replicate)], {}};
    if (picture.is_measured && rated.why_no_judge.empty())
      if (const auto& value = picture.values[column]) seen.merit = sign * *value;
    rated.pictures[{rated.names[static_cast<size_t>(picture.arm)], plan.cells[picture.cell].file}] = std::move(seen);
  }
  return rated;
}

RatedArms rated_arms(const RatableSet& set) {
  RatedArms rated{set.arms, {}, {}, "two folders have no judge"};
  for (const auto& picture : set.pictures)
    rated.pictures[{set.arms[picture.arm], picture.file}] = {picture.prompt, picture.seed, {}};
  return rated;
}

PeopleVerdict people_verdict(const RatedArms& arms, const PairRatings& ratings, const BootstrapOptions& options) {
  std::map<std::string, Answers> answers;
  for (const auto& answer : ratings.answers) answers[answer.plan].push_back(&answer);
  PeopleCount count(arms, options);
  for (const auto& plan : ratings.plans) count.take(plan, answers[plan.id]);
  PeopleVerdict verdict = count.result();
  verdict.notices.insert(verdict.notices.begin(), ratings.notices.begin(), ratings.notices.end());
  return verdict;
}

PeopleVerdict people_verdict(const RunPlan& plan, const RunRecords& records, const PairRatings& ratings) {
  BootstrapOptions options;
  options.level = plan.analysis.level;
  return people_verdict(rated_arms(plan, records), ratings, options);
}

PeopleVerdict people_verdict(const RatableSet& set, const PairRatings& ratings) {
  PairRatings own = ratings;
  std::erase_if(own.plans, [&](const RatingPlan& plan) { return !is_of(set.arms, plan); });
  return people_verdict(rated_arms(set), own);
}

PeopleVerdict read_people(const RunStore& store, const RunPlan& plan, const RunRecords& records) {
  const fs::path file = store.folder() / pair_ratings_file;
  PairRatings ratings;
  try {
    ratings = read_pair_ratings(file);
  } catch (const Error& error) {
    ratings.notices = {error.what()};
  }
  // The same folder gives the same page wherever it lies.
  for (auto& notice : ratings.notices)
    if (const size_t at = notice.find(file.string()); at != std::string::npos)
      notice.replace(at, file.string().size(), pair_ratings_file);
  if (!ratings.plans.empty()) return people_verdict(plan, records, ratings);
  PeopleVerdict nothing;
  nothing.notices = std::move(ratings.notices);
  return nothing;
}

}  // namespace negativa
