// What a PeopleVerdict says, in sentences for page and terminal alike.
#include "base/error.h"
#include "base/text.h"
#include "report/people.h"
#include "stats/words.h"

namespace negativa {

namespace {

bool is_one(const PeopleVerdict& people) { return people.raters.size() == 1; }
std::string subject(const PeopleVerdict& people) { return is_one(people) ? "this rater" : "people"; }
std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string percent(double share) { return number_text(100 * share, 0) + " %"; }

std::string consistency_sentence(const PeopleVerdict& people) {
  if (people.consistency.of == 0) return "Consistency: not known, as no pair came back with its sides swapped.";
  return fmt::format("Consistency: of pairs that came back with their sides swapped {} said the same of {}.", subject(people),
                     share_text(people.consistency));
}

std::string left_sentence(const PeopleVerdict& people) {
  if (people.left.of == 0) return "Sides: no answer chose one.";
  std::string text =
      fmt::format("Sides: of the answers that chose a picture, it was the left one in {}", share_text(people.left));
  const auto& interval = people.left.interval;
  if (interval && (interval->low > 0.5 || interval->high < 0.5)) text += "; that is not half: the side itself moved the answers";
  return text + ".";
}

std::string agreement_sentence(const PeopleVerdict& people) {
  const std::string begin = "Agreement between raters, Krippendorff's alpha: ";
  if (!people.alpha) return begin + "not known, " + people.why_no_alpha + ".";
  return fmt::format("{}{} over {} that several rated (1: always the same answer, 0: as chance would have it).", begin,
                     number_text(*people.alpha, 2), count_text(people.shared_pairs, "pair"));
}

std::string judge_sentence(const PeopleVerdict& people, const PeopleComparison& comparison) {
  const Correlation& judge = comparison.judge;
  const std::string begin =
      fmt::format("The judge and {} on {}, prompt by prompt: ", subject(people), arms_text(comparison.rate));
  if (!judge.value) return begin + "no correlation, " + judge.why_absent + ".";
  const std::string value = "Spearman's rank correlation " + signed_text(*judge.value, 2);
  const std::string prompts = count_text(judge.points, "prompt");
  if (!judge.interval) return fmt::format("{}{} ({}; no interval: {}).", begin, value, prompts, judge.why_absent);
  const Interval& interval = *judge.interval;
  const char* says = interval.low > 0    ? "they agree on which prompts gain"
                     : interval.high < 0 ? "they disagree on which prompts gain"
                                         : "not clear whether they agree on which prompts gain";
  return fmt::format("{}{}, {} from {} to {} ({}): {}.", begin, value, percent_text(interval.level), signed_text(interval.low, 2),
                     signed_text(interval.high, 2), prompts, says);
}

}  // namespace

bool is_clear(const WinRate& rate) { return rate.interval && (rate.interval->low > 0.5 || rate.interval->high < 0.5); }

std::string arms_text(const WinRate& rate) { return rate.first + " over " + rate.second; }

std::string share_text(const AnswerShare& share) {
  if (!share.interval) return "none";
  return fmt::format(
      "{}, {} from {} to {} ({} of {}, Wilson)", percent(static_cast<double>(share.hits) / static_cast<double>(share.of)),
      percent_text(share.interval->level), percent(share.interval->low), percent(share.interval->high), share.hits, share.of);
}

std::string preference_sentence(const PeopleVerdict& people, const PeopleComparison& comparison) {
  const WinRate& rate = comparison.rate;
  const std::string numbers = fmt::format("{} wins {}", rate.first, sentence(rate));
  if (!is_clear(rate))
    return fmt::format("Not clear which of {} and {} {} {}: {}.", rate.first, rate.second, subject(people),
                       is_one(people) ? "prefers" : "prefer", numbers);
  const bool is_first = rate.rate > 0.5;
  return capital(fmt::format("{} {} {} to {}: {}.", subject(people), is_one(people) ? "prefers" : "prefer",
                             is_first ? rate.first : rate.second, is_first ? rate.second : rate.first, numbers));
}

std::vector<std::string> sentences(const PeopleVerdict& people) {
  if (!people.has_verdict()) return {};
  size_t answers = 0, both_bad = 0;
  for (const auto& comparison : people.comparisons) answers += comparison.answers, both_bad += comparison.both_bad;
  std::vector<std::string> lines;
  lines.push_back(is_one(people)
                      ? fmt::format("{} of one rater.", count_text(answers, "answer"))
                      : fmt::format("{} of {}.", count_text(answers, "answer"), count_text(people.raters.size(), "rater")));
  lines.push_back(
      fmt::format("Both pictures were called bad in {} of {}; that counts as a tie.", both_bad, count_text(answers, "answer")));
  lines.push_back(consistency_sentence(people));
  lines.push_back(left_sentence(people));
  lines.push_back(agreement_sentence(people));
  for (const auto& comparison : people.comparisons) lines.push_back(judge_sentence(people, comparison));
  return lines;
}

std::string short_sentence(const PeopleVerdict& people) {
  if (people.has_verdict()) {
    const size_t more = people.comparisons.size() - 1;
    return preference_sentence(people, people.comparisons.front()) +
           (more > 0 ? fmt::format(" {} more on the page.", count_text(more, "comparison")) : "");
  }
  if (people.unfinished.empty()) return "No verdict: no rating of these arms.";
  std::vector<std::string> begun;
  for (const auto& one : people.unfinished) begun.push_back(fmt::format("{} of {}", one.answered, one.shown));
  return fmt::format("No verdict before the end: {} answered.", joined(begun, ", "));
}

}  // namespace negativa
