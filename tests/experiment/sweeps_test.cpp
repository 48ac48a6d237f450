#include <gtest/gtest.h>

#include "experiment_text.h"

namespace negativa {
namespace {

using test::parsed;
using test::with_more;
using test::with_text;

using Names = std::vector<std::string>;

SweepTable sweep_of(const std::string& lines, const std::string& text = test::small_experiment) {
  return parsed(text + "[sweeps.s]\n" + lines).sweeps.at(0);
}

Names names_of(const SweepTable& sweep) {
  Names names;
  for (const auto& arm : sweep.arms) names.push_back(arm.name);
  return names;
}

Names columns(const std::string& lines, const std::string& text = test::small_experiment) {
  return names_of(sweep_of(lines, text));
}

void check_crossed_axes() {
  const auto sweep = sweep_of("arms = [\"article\", \"nothing\"]\nsteps = [2, 3]\ncfg_scale = [5, 6.5]\n");
  EXPECT_EQ(names_of(sweep),
            (Names{"s/article/steps=2,cfg_scale=5", "s/article/steps=2,cfg_scale=6.5", "s/article/steps=3,cfg_scale=5",
                   "s/article/steps=3,cfg_scale=6.5", "s/nothing/steps=2,cfg_scale=5", "s/nothing/steps=2,cfg_scale=6.5",
                   "s/nothing/steps=3,cfg_scale=5", "s/nothing/steps=3,cfg_scale=6.5"}));
  EXPECT_EQ(sweep.of_arm[3], "article");
  EXPECT_EQ(sweep.of_arm[4], "nothing");
  const std::vector<std::pair<std::string, std::string>> axes = {{"steps", "3"}, {"cfg_scale", "6.5"}};
  EXPECT_EQ(sweep.axes[3], axes);
  EXPECT_EQ(sweep.arms[3].draw.picture.steps, 3);
  EXPECT_EQ(sweep.arms[3].draw.picture.cfg_scale, 6.5);
  EXPECT_EQ(sweep.arms[3].draw.picture.negative_prompt, "wrong");
  EXPECT_EQ(sweep.arms[3].draw.picture.lora, Names{"wrong"});
  EXPECT_FALSE(sweep.arms[4].draw.picture.negative_prompt.has_value());
}

void check_own_combination() {
  EXPECT_EQ(columns("arms = [\"nothing\"]\ncfg_scale = [3, 4]\n"), Names{"s/nothing/cfg_scale=3"});
  EXPECT_EQ(columns("cfg_scale = [4.0, 5]\n"), Names{"s/cfg_scale=5"});
}

void check_plain_column() {
  EXPECT_EQ(columns("cfg_scale = [3]\n"), Names{"s/cfg_scale=3"}) << "[arms.nothing] is the default";
  const std::string without = with_text("[arms.nothing]\n", "");
  EXPECT_EQ(columns("cfg_scale = [3]\n", without), (Names{"s/default", "s/cfg_scale=3"}));
  EXPECT_EQ(columns("arms = [\"article\"]\ncfg_scale = [3]\nprompts = \"tune\"\n"),
            (Names{"s/article", "s/article/cfg_scale=3"}));
  EXPECT_EQ(columns("cfg_scale = [3]\nreplicates = 2\n"), (Names{"s/default", "s/cfg_scale=3"}));
  EXPECT_EQ(columns("cfg_scale = [3]\nreplicates = 2\n", with_text("seed = 1", "seed = 1\nreplicates = 2")),
            Names{"s/cfg_scale=3"});
  const std::string thrice = with_text("seed = 1", "seed = 1\nreplicates = 3\ntraining_seeds = 3");
  EXPECT_EQ(columns("arms = [\"article\"]\ncfg_scale = [3]\nreplicates = 1\ntraining_seeds = 1\n", thrice),
            Names{"s/article/cfg_scale=3"})
      << "the arm has those pictures and more";
  const auto plain = sweep_of("cfg_scale = [3]\n", without);
  EXPECT_TRUE(plain.axes[0].empty());
  EXPECT_EQ(plain.arms[0].draw.picture.cfg_scale, 4);
  EXPECT_EQ(plain.of_arm, (Names{"", ""}));
}

void check_list_options() {
  const auto sweep = sweep_of("lora = [\"wrong:0.5\", \"wrong@2\", [\"wrong\", \"random:-1\"], []]\n");
  EXPECT_EQ(names_of(sweep), (Names{"s/lora=wrong:0.5", "s/lora=wrong@2", "s/lora=wrong+random:-1"}));
  EXPECT_EQ(sweep.arms[0].draw.picture.lora, Names{"wrong:0.5"});
  EXPECT_EQ(sweep.arms[2].draw.picture.lora, (Names{"wrong", "random:-1"}));
  EXPECT_EQ(columns("arms = [\"article\"]\nlora = [[], \"random\"]\n"), (Names{"s/article/lora=none", "s/article/lora=random"}));
  const auto embedding = sweep_of("negative_prompt = \"<bad>\"\nembedding = [[], \"bad\"]\n");
  EXPECT_EQ(names_of(embedding), (Names{"s/embedding=none", "s/embedding=bad"}));
  EXPECT_EQ(embedding.arms[1].draw.model.embedding, Names{"bad"});
}

void check_single_values() {
  const auto sweep = sweep_of("steps = 3\ncfg_scale = [5, 6]\n");
  EXPECT_EQ(names_of(sweep), (Names{"s/cfg_scale=5", "s/cfg_scale=6"}));
  EXPECT_EQ(sweep.arms[0].draw.picture.steps, 3);
  EXPECT_EQ(columns("arms = [\"nothing\", \"article\"]\nsteps = 3\n"), (Names{"s/nothing/steps=3", "s/article/steps=3"}));
}

void check_same_as_prompt() {
  const auto sweep = sweep_of("arms = [\"article\"]\nnegative_prompt = [\"lamp\", { same_as = \"prompt\" }]\n");
  EXPECT_EQ(names_of(sweep), (Names{"s/article/negative_prompt=lamp", "s/article/negative_prompt=prompt"}));
  EXPECT_FALSE(sweep.arms[0].negative_is_prompt);
  EXPECT_TRUE(sweep.arms[1].negative_is_prompt);
}

void check_used_loras() {
  const std::string lora = "[loras.other]\nset = \"wrong\"\nsteps = 1\n";
  const auto file = parsed(with_more(lora + "[sweeps.s]\nlora = [\"other\"]\n"));
  EXPECT_EQ(file.notices, Names{"x.toml line 12: no arm draws prompts.tune"});
}

TEST(Sweeps, HaveAColumnForEachCombinationAndOneWithNoneOfIt) {
  check_crossed_axes();
  check_own_combination();
  check_plain_column();
  check_used_loras();
}

TEST(Sweeps, TakeEveryOptionOfAPictureAsAnAxis) {
  check_list_options();
  check_single_values();
  check_same_as_prompt();
}

}  // namespace
}  // namespace negativa
