// Arms and axes of `compare` as they are typed.
#include <gtest/gtest.h>

#include "program.h"

namespace negativa::test {

TEST(Compare, CrossesTwoAxesWithTheArmsThatAreTyped) {
  const Workplace place;
  const Ran ran = place.run({"compare", "-p", "owl", "--arms", "nothing,word", "--axis", "cfg=3,5", "--axis", "steps=1,2",
                             "--steps", "3", "--seeds", "1", "--json", "-o", "s.png"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  const Json report = parse_json(ran.out, "report");
  ASSERT_EQ(report["arms"].size(), 10u);
  EXPECT_EQ(report["arms"][0], "nothing");
  EXPECT_EQ(report["arms"][4], "nothing/cfg_scale=5,steps=2");
  EXPECT_EQ(report["arms"][5], "word");
  EXPECT_EQ(report["files"], Json({"s.png"}));
  EXPECT_TRUE(contains(text_chunk(place / "s.png", "Description"),
                       "emoji-xl, 3 steps, cfg 7, the same noise along a row; word: negative prompt \"wrong\""));
}

TEST(Compare, RefusesBadArmsAndAxesInOneLineAndLeavesNothing) {
  const Workplace place;
  for (const auto& [more, words] : std::vector<std::pair<Workplace::Arguments, std::string>>{
           {{"--axis", "cfg_scal=3"}, "did you mean cfg_scale?"},
           {{"--arms", "nowhere.toml"}, "[nowhere.toml] cannot be opened"}}) {
    Workplace::Arguments args{"compare", "-p", "owl"};
    args.insert(args.end(), more.begin(), more.end());
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_TRUE(contains(ran.err, words)) << ran.err;
  }
  EXPECT_TRUE(place.files().empty());
}

}  // namespace negativa::test
