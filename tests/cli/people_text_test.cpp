#include "people_text.h"

#include <gtest/gtest.h>

#include "../report/hand_rated.h"
#include "base/json.h"
#include "experiment_text.h"

namespace negativa::cli {

namespace {

Values plausible(const RunPlan&, const PlannedCell& picture) {
  return {{"damage", 0.5 - 0.01 * picture.arm * picture.prompt}, {"right_object", 0.8}};
}

PeopleVerdict made_verdict(int answered) {
  const MadeRun run(made_plan(made_prompts(4, 1), {{"nothing"}, {"article", 1}}), plausible);
  HandRated rated(run.plan());
  rated.begin("A\x1b[2Jnn", 4);
  for (int p = 0; p < answered; ++p) rated.answer(p, "nothing", "article", p == 0 ? PairAnswer::left : PairAnswer::right);
  return people_verdict(run.plan(), run.records(), rated.ratings);
}

}  // namespace

TEST(PeopleText, IsASentenceInTheReportAndEveryOneAfterARating) {
  EXPECT_EQ(line_of({}), "");
  EXPECT_EQ(line_of(made_verdict(3)), "people: No verdict before the end: 3 of 4 answered.\n");
  const std::string line = line_of(made_verdict(4)), text = text_of(made_verdict(4));
  EXPECT_TRUE(line.starts_with("people: Not clear which of article and nothing this rater prefers: article wins 75 %")) << line;
  for (const char* part : {"article wins 75 %", "Both pictures were called bad in 0 of 4",
                           "Consistency: ", "Sides: of the answers", "Agreement between raters", "The judge and this rater"})
    EXPECT_TRUE(text.find(part) != std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "a rater's name is never printed";
}

TEST(PeopleText, AsJsonHasTheNumbersAndOfAnUnfinishedRatingNone) {
  const Json json = parse_json(json_of(made_verdict(4)), "people");
  EXPECT_DOUBLE_EQ(json["comparisons"][0]["win_rate"].get<double>(), 0.75);
  EXPECT_EQ(json["comparisons"][0]["judge"]["prompts"], 4);
  EXPECT_EQ(json["left"]["of"], 4);
  EXPECT_EQ(json["agreement"]["why_absent"], "there is one rater");
  EXPECT_EQ(json["strengths"]["arms"].size(), 2u);
  const Json begun = parse_json(json_of(made_verdict(3)), "people");
  EXPECT_TRUE(begun["comparisons"].empty());
  EXPECT_FALSE(begun.contains("left"));
  EXPECT_EQ(begun["unfinished"][0]["answered"], 3);
}

TEST(PeopleText, StandsInTheReportsJsonWhereThereIsSomething) {
  ExperimentReport report;
  EXPECT_FALSE(parse_json(json_of(report), "report").contains("people"));
  report.people = made_verdict(4);
  EXPECT_EQ(parse_json(json_of(report), "report")["people"]["raters"][0]["answers"], 4);
}

}  // namespace negativa::cli
