// The experiments that come with the program: what they draw, and that their lists are apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "experiment/references.h"
#include "experiment/world.h"
#include "golden_file.h"

namespace negativa {
namespace {

ExperimentFile stock(const std::string& name) { return read_experiment(test::source_folder() / "experiments/wrong" / name); }

size_t pictures_of(const ExperimentFile& file, const ArmTable& arm) {
  const auto trainings = has_trained(file, arm.draw) ? arm.training_seeds : 1;
  return prompts_of(file, arm.list).size() * static_cast<size_t>(arm.replicates * trainings);
}

size_t pictures_of(const ExperimentFile& file, const std::vector<ArmTable>& arms) {
  size_t count = 0;
  for (const auto& arm : arms) count += pictures_of(file, arm);
  return count;
}

size_t pictures_of(const SetSpec& set) {
  const auto& options = set.options;
  return std::max<size_t>(set.cfg_scales.size(), 1) * std::max<size_t>(options.keywords.size(), 1) *
             static_cast<size_t>(options.pictures) +
         static_cast<size_t>(options.plain);
}

// The full grid's arms without the one that tuning has chosen, which stands beside the stock set.
std::vector<ArmTable> stock_arms(const ExperimentFile& emoji) {
  std::vector<ArmTable> arms = emoji.arms;
  std::erase_if(arms, [](const ArmTable& arm) { return arm.name == "neg-tuned"; });
  return arms;
}

std::set<std::string> texts_of(const std::vector<PlannedPrompt>& prompts) {
  std::set<std::string> texts;
  for (const auto& prompt : prompts) texts.insert(prompt.text);
  return texts;
}

TEST(StockExperiments, TheSmallGridIsATasteOfTheFullOne) {
  const ExperimentFile demo = stock("demo.toml"), emoji = stock("emoji.toml");
  EXPECT_TRUE(demo.notices.empty());
  ASSERT_EQ(demo.arms.size(), 22u);
  EXPECT_EQ(pictures_of(demo, demo.arms), 528u);
  EXPECT_TRUE(demo.sweeps.empty());
  size_t in_sets = 0;
  for (const auto& set : demo.sets) in_sets += pictures_of(set);
  EXPECT_EQ(in_sets, 234u);
  const auto arms = stock_arms(emoji);
  for (size_t i = 0; i < demo.arms.size(); ++i) {
    EXPECT_EQ(demo.arms[i].name, arms[i].name);
    EXPECT_EQ(demo.arms[i].overrides_json, arms[i].overrides_json) << demo.arms[i].name;
    EXPECT_EQ(demo.arms[i].list, "tune") << "it does not peek at test prompts";
  }
  for (size_t i = 0; i < demo.sets.size(); ++i)
    EXPECT_EQ(parse_json(demo.config_json, "demo")["sets"][demo.sets[i].name],
              parse_json(emoji.config_json, "emoji")["sets"][demo.sets[i].name]);
  EXPECT_EQ(demo.analysis.primary, emoji.analysis.primary);
  EXPECT_EQ(demo.analysis.secondary, emoji.analysis.secondary);
}

TEST(StockExperiments, TheFullGridKeepsItsBudget) {
  const ExperimentFile file = stock("emoji.toml");
  EXPECT_TRUE(file.notices.empty());
  EXPECT_EQ(file.arms.size(), 26u);
  const std::vector<ArmTable> arms = stock_arms(file);
  ASSERT_EQ(arms.size(), 25u);
  EXPECT_EQ(pictures_of(file, {arms.begin() + 22, arms.end()}), 144u) << "the subject";
  EXPECT_EQ(pictures_of(file, {arms.begin(), arms.begin() + 22}), 6u * 192 + 16 * 3 * 192);
  EXPECT_EQ(pictures_of(file, file.sweeps[0].arms), 960u) << "with the refiner";
  EXPECT_EQ(pictures_of(file, file.sweeps[1].arms), 2304u) << "guidance scales";
  const World world = *find_world(test::source_folder() / "models/emoji-xl/judge");
  size_t pictures = world.calibration.size() * (1 + world.damages.size());  // the calibration's
  EXPECT_LE(pictures, 1248u);
  for (const auto& set : file.sets) pictures += set.options.folder.empty() ? pictures_of(set) : 0;
  pictures += pictures_of(file, file.arms);
  for (const auto& sweep : file.sweeps) pictures += pictures_of(file, sweep.arms);
  EXPECT_LE(pictures, 15500u);
  EXPECT_EQ(file.analysis.claim, "made_this_way");
  EXPECT_EQ(file.analysis.secondary.size(), 8u);
  EXPECT_EQ(file.tune->candidates.size(), 12u);
  EXPECT_EQ(file.tune->prompts, 24);
}

TEST(StockExperiments, PromptsAreOfTheJudgesWorldAndApartFromEachOtherAndTheCalibration) {
  const World world = *find_world(test::source_folder() / "models/emoji-xl/judge");
  const ExperimentFile file = stock("emoji.toml");
  EXPECT_EQ(file.prompts.lists.at("test").size(), 96u);
  EXPECT_EQ(file.prompts.lists.at("tune").size(), 48u);
  std::set<std::string> all(world.calibration.begin(), world.calibration.end());
  size_t count = all.size();
  std::vector<std::set<std::string>> groups;
  for (const char* name : {"test", "tune", "subject"}) {
    const auto& list = file.prompts.lists.at(name);
    std::set<std::string> of_list;
    for (const auto& prompt : list) {
      const CaptionFacts facts = world.facts(prompt.text);
      EXPECT_EQ(facts.objects.size(), prompt.group == "two objects together" ? 2u : 1u) << prompt.text;
      EXPECT_TRUE(facts.background && facts.damages.empty()) << prompt.text;
      of_list.insert(prompt.group);
    }
    groups.push_back(std::move(of_list));
    all.merge(texts_of(list));
    count += list.size();
  }
  for (const auto& set : file.sets) {
    const std::set<std::string> subjects(set.options.subjects.begin(), set.options.subjects.end());
    for (const auto& subject : subjects) EXPECT_FALSE(all.contains(subject)) << subject;
  }
  EXPECT_EQ(all.size(), count);
  EXPECT_EQ(groups[0], groups[1]);
  EXPECT_EQ(groups[0], (std::set<std::string>{"objects alone", "text", "faces and hands", "landscapes", "food", "animals",
                                              "two objects together"}));
}

TEST(StockExperiments, SdxlHasTheArticlesSettings) {
  const ExperimentFile file = stock("sdxl.toml");
  EXPECT_TRUE(file.notices.empty());
  const DrawOptions& draw = file.defaults;
  EXPECT_EQ(draw.picture.steps, 50);
  EXPECT_EQ(draw.picture.cfg_scale, 13);
  EXPECT_EQ(draw.picture.width, 1024);
  EXPECT_EQ(draw.picture.height, 1024);
  EXPECT_EQ(draw.picture.refiner_start, 0.8);
  EXPECT_EQ(draw.model.refiner, "sdxl-refiner");
  for (const auto& set : file.sets) {
    EXPECT_EQ(set.cfg_scales, (std::vector<double>{8, 9, 10, 11, 12, 13})) << set.name;
    EXPECT_EQ(pictures_of(set), 78u) << set.name;
    EXPECT_EQ(set.draw.model.refiner, "sdxl-refiner") << set.name;
  }
  for (const auto& lora : file.loras) {
    if (!lora.set.empty()) {
      EXPECT_EQ(lora.train.rank, 4) << lora.name;
    }
  }
  const ExperimentFile emoji = stock("emoji.toml");
  const auto arms = stock_arms(emoji);
  ASSERT_EQ(file.arms.size(), 22u);
  for (size_t i = 0; i < file.arms.size(); ++i) EXPECT_EQ(file.arms[i].overrides_json, arms[i].overrides_json);
}

// The TOML that docs/experiments.md gives to begin with, as it stands.
TEST(StockExperiments, TheDocumentedOneIsReadWithoutANotice) {
  const std::string text = read_file(test::source_folder() / "docs/experiments.md"), fence = "```toml\n";
  const auto begin = text.find(fence) + fence.size();
  const TemporaryFolder folder;
  make_folder(folder / "my-rejects");
  const auto file = parse_experiment(text.substr(begin, text.find("```", begin) - begin), folder / "mine.toml");
  EXPECT_TRUE(file.notices.empty()) << file.notices.front();
  EXPECT_EQ(file.arms.size(), 4u);
  EXPECT_EQ(file.sets.at(0).options.folder, folder / "my-rejects");
  EXPECT_EQ(pictures_of(file, file.arms), 4u * 12 * 2);
}

}  // namespace
}  // namespace negativa
