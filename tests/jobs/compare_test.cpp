// The columns of a comparison: arms, axes, what of them has no effect.
#include "jobs/compare.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "jobs/compare_cells.h"

namespace negativa {
namespace {

using Texts = std::vector<std::string>;

const std::string lora = std::string(NEGATIVA_SOURCE_DIR) + "/tests/golden/lora_kohya.safetensors";

CompareOptions owl(const std::string& arms, const Texts& axes = {}) {
  CompareOptions options;
  options.model.device = "cpu";
  options.picture.prompt = "owl";
  options.picture.steps = 1;
  options.seeds = 1;
  options.arms = arms;
  options.axis = axes;
  return options;
}

struct Planned {
  Texts columns, notices;
  int64_t steps = 0;
};
// What would be drawn, without a forecast, which measures the machine.
Planned planned(const CompareOptions& options) {
  test::Heard heard;
  const test::Listening listening(heard);
  const CompareGrid comparison = make_comparison(test::engine(), options, test::nobody());
  Planned planned;
  for (const auto& column : comparison.columns) planned.columns.push_back(column.name);
  for (const auto& cell : comparison.cells) planned.steps += cell.plan.steps;
  planned.notices = heard.notices;
  return planned;
}

std::string refusal(const CompareOptions& options) {
  return error_of(ErrorKind::input, [&] { make_comparison(test::engine(), options, test::nobody()); });
}

void expect_in(const std::string& message, const std::string& words) {
  EXPECT_NE(message.find(words), std::string::npos) << message;
}

}  // namespace

TEST(Compare, HasTheArmsThatAreNamedAndByItselfThoseThatItCanMake) {
  CompareOptions options = owl("");
  EXPECT_EQ(planned(options).columns, (Texts{"nothing", "word"}));
  options.picture.lora = {lora};
  EXPECT_EQ(planned(options).columns, (Texts{"nothing", "word", "article", "neg-branch"}));
  options.arms = "apart,nothing,minus,lora-only,autoguidance";
  const auto named = planned(options);
  EXPECT_EQ(named.columns, (Texts{"apart", "nothing", "minus", "lora-only", "autoguidance"}));
  EXPECT_TRUE(named.notices.empty()) << named.notices.front();
}

TEST(Compare, RefusesArmsThatItCannotMake) {
  expect_in(refusal(owl("artcle")), "did you mean article?");
  expect_in(refusal(owl("nothing,")), "[--arms] got \"\", expected names among nothing, word");
  expect_in(refusal(owl("nothing,word,nothing")), "[--arms] got nothing twice");
  expect_in(refusal(owl("nothing,article")), "[--arms] article needs a LoRA; give one with --lora FILE");
}

TEST(Compare, SaysWhatNoArmHas) {
  CompareOptions options = owl("nothing");
  options.picture.lora = {lora};
  options.negative_word = "ugly";
  EXPECT_EQ(planned(options).notices, (Texts{"--negative-word has no effect: no arm of --arms has the word",
                                             "--lora has no effect: no arm of --arms has a LoRA"}));
}

TEST(Compare, DrawsEachArmWithoutTheAxesAndThenWithEachCombination) {
  const auto crossed = planned(owl("", {"cfg=3,7", "sampler=euler,heun"}));
  EXPECT_EQ(crossed.columns, (Texts{"nothing", "nothing/cfg_scale=3,sampler=euler", "nothing/cfg_scale=3,sampler=heun",
                                    "nothing/cfg_scale=7,sampler=heun", "word", "word/cfg_scale=3,sampler=euler",
                                    "word/cfg_scale=3,sampler=heun", "word/cfg_scale=7,sampler=heun"}));
  EXPECT_EQ(crossed.notices,
            (Texts{"nothing/cfg_scale=7,sampler=euler is what nothing draws already, and has no column of its own",
                   "word/cfg_scale=7,sampler=euler is what word draws already, and has no column of its own"}));
}

TEST(Compare, RefusesAxesThatAnArmSetsItselfOrThatVaryNothing) {
  CompareOptions options = owl("", {"lora=" + lora + ":0.5"});
  EXPECT_EQ(planned(options).columns.size(), 4u) << "no arm has a LoRA of its own";
  options.picture.lora = {lora};
  expect_in(refusal(options), "[--axis] the arm article sets lora itself; leave that axis out");
  expect_in(refusal(owl("nothing,word", {"negative_prompt=a,b"})), "[--axis] the arm word sets negative_prompt itself");
  expect_in(refusal(owl("nothing", {"cfg=7", "steps=1,2"})), "[--axis] cfg_scale varies nothing: 7 is what the pictures have");
  test::Heard heard;
  const test::Listening listening(heard);
  expect_in(refusal(owl("nothing", {"sampler=euler"})), "[--axis] varies nothing: its values are what the pictures have already");
  EXPECT_TRUE(heard.notices.empty()) << "the error says it";
  EXPECT_EQ(planned(owl("nothing", {"weights_dtype=fp32,int8"})).columns, (Texts{"nothing", "nothing/weights_dtype=int8"}));
}

TEST(Compare, SaysWhichOptionsHaveNoEffectAndInWhichColumns) {
  CompareOptions options = owl("nothing,word", {"refiner_start=0.5"});
  options.picture.guidance_rescale = 0.5;
  options.picture.cfg_scale = 1;
  const auto notices = planned(options).notices;
  const std::string no_guidance = " has no effect: there is no guidance (--cfg-scale 1 or less, or an empty --guidance-interval)";
  EXPECT_EQ(notices,
            (Texts{"--guidance-rescale" + no_guidance,
                   "nothing/refiner_start=0.5, word/refiner_start=0.5: --refiner-start has no effect: there is no --refiner",
                   "word, word/refiner_start=0.5: --negative-prompt" + no_guidance}));
  options = owl("nothing,word");
  options.picture.negative_scale = 2;
  EXPECT_TRUE(planned(options).notices.empty()) << "it has an effect on the arm with the word";
}

TEST(Compare, TakesTheArmsOfATomlOverTheFlagsAndItsDefaultBelowThem) {
  const TemporaryFolder folder;
  const std::string toml = (folder / "my.toml").string();
  write_atomically(toml,
                   "[default]\nsteps = 3\ncfg_scale = 5\n[arms.a]\n[arms.b]\ncfg_scale = 6\n[arms.c]\nnegative_prompt = \"x\"\n");
  CompareOptions options = owl(toml);
  options.typed = {"steps"};
  options.picture.steps = 2;
  EXPECT_EQ(planned(options).steps, 6);
  options.typed = {};
  options.picture.steps = 50;
  EXPECT_EQ(planned(options).steps, 9);
  options.arms += ":c,a";
  EXPECT_EQ(planned(options).columns, (Texts{"c", "a"}));
  options.picture.lora = {lora};
  expect_in(refusal(options), "is in no arm of " + toml);
  options.picture.lora = {};
  options.arms = toml + ":b";
  options.picture.cfg_scale = 4;
  EXPECT_EQ(planned(options).notices, Texts{"--cfg-scale has no effect: every arm has its own"});
  options.axis = {"cfg=3"};
  expect_in(refusal(options), "[--axis] the arm b sets cfg_scale itself");
}

TEST(Compare, DrawsAllColumnsOfARowFromTheSameNoise) {
  const TemporaryFolder folder;
  CompareOptions options = owl("nothing", {"cfg=3"});
  options.out = folder / "sheet.png";
  const auto varied = test::run(compare, options);
  ASSERT_EQ(varied.arms, (Texts{"nothing", "nothing/cfg_scale=3"}));
  EXPECT_EQ(varied.files, std::vector<Path>{options.out});
  options.axis = {};
  options.picture.cfg_scale = 3;
  const auto typed = test::run(compare, options);
  EXPECT_EQ(varied.pictures[0][1].rgb, typed.pictures[0][0].rgb);
  EXPECT_NE(varied.pictures[0][0].rgb, typed.pictures[0][0].rgb);
}

}  // namespace negativa
