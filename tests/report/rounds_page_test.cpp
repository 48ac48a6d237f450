// The page of rounds: what stands on it, hostile names, and the same bytes for the same series.
#include "report/rounds_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/image.h"
#include "made_run.h"

namespace negativa {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* hostile = R"x(</td><img src=x onerror="alert(1)">)x";

std::string png_of(const PlannedCell& cell) {
  return encode_png(Image8::filled(8, 8, {static_cast<uint8_t>(50 * cell.arm), 2, 3}));
}

// Each round has a tenth less damage.
Values less_each_round(const RunPlan&, const PlannedCell& picture) {
  const double spread = 0.01 * ((picture.prompt * 7) % 5 - 2);
  return {{"damage", 0.5 - 0.1 * picture.arm + spread}, {"right_object", 0.8}, {"difference", 12.0 * picture.arm}};
}

RunPlan rounds_plan() {
  auto prompts = made_prompts(8, 1);
  prompts[0].text = hostile;
  RunPlan plan = made_plan(std::move(prompts), {{"round-0"}, {"round-1"}, {"round-2"}});
  plan.metric_names = {"damage", "right_object", "difference"};
  plan.analysis.primary = "round-2 - round-0";
  return plan;
}

WinRate won(double rate) {
  WinRate won;
  won.rate = rate;
  won.prompts = won.pairs = 8;
  won.interval = Interval{rate - 0.2, rate + 0.1, 0.95};
  return won;
}

struct RoundsPage : testing::Test {
  const MadeRun run{rounds_plan(), less_each_round, {}, png_of};
  RoundsTable table{"judge_select", {{0, 0}, {1, 2}, {2, 2}}, "2 rounds were asked for"};

  RoundsPage() {
    table.rows[2].over_first = won(0.75);
    measure_rounds(table, run.store, {});
  }
  Page page() const { return make_rounds_page("made", hostile, {{table, run.store}}); }
};

TEST_F(RoundsPage, HasEveryRoundWithWhatWasMeasured) {
  EXPECT_NEAR(table.rows[1].damage->mean, 0.4, 0.02);
  EXPECT_NEAR(table.rows[2].damage_change->mean, -0.2, 1e-9);
  EXPECT_NEAR(table.rows[2].drift->mean, 24, 1e-9);
  EXPECT_FALSE(table.rows[0].damage_change);
  const Page made = page();
  EXPECT_THAT(made.html, HasSubstr("75 %, 55 to 85 %"));
  const std::string rows = made.html.substr(made.html.find("<table"), made.html.find("</table>") - made.html.find("<table"));
  const auto count = [&](const std::string& text) {
    size_t found = 0;
    for (size_t at = 0; (at = rows.find(text, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("<th scope=\"row\""), 3u);
  EXPECT_EQ(3 * (count("<th scope=\"col\"") - 1), count("<td")) << "a heading for each column";
  EXPECT_THAT(made.html, HasSubstr("2 rounds were asked for"));
  EXPECT_THAT(made.html, Not(HasSubstr("People:")));
  EXPECT_EQ(made.pictures, 6u * 3u);
  EXPECT_TRUE(made.notices.empty());
  EXPECT_EQ(made.html, page().html);
}

TEST_F(RoundsPage, EscapesPromptsAndNames) {
  const std::string html = page().html;
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x"));
}

TEST_F(RoundsPage, ShowsPeopleWhereTheyRatedAndTheControlBesideIt) {
  table.rows[2].people_over_before = won(0.6);
  RoundsTable control = table;
  control.reject = "random";
  control.rows.pop_back();
  const std::string html = make_rounds_page("made", "article", {{table, run.store}, {control, run.store}}).html;
  EXPECT_THAT(html, HasSubstr("People: over the one before"));
  EXPECT_THAT(html, HasSubstr("60 %, 40 to 70 %"));
  EXPECT_LT(html.find("The worst by the judge that chooses"), html.find("The control: pictures at random"));
}

}  // namespace
}  // namespace negativa
