#include "experiment/plan.h"

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment_text.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

using test::small_experiment;
using test::with_more;
using test::with_text;

ExperimentPlan plan_of(const ExperimentFile& file, const RunPlan* earlier = nullptr) {
  static const PlannedJudge judge = plan_judge(test::engine(), test::parsed(small_experiment), {}, test::nobody());
  auto plan = plan_experiment(test::engine(), {file, judge, earlier}, test::nobody());
  plan.run.check_whole("plan");
  return plan;
}
ExperimentPlan plan_of(const std::string& text) { return plan_of(test::parsed(text)); }

// Addresses by "stage arm prompt replicate training name", which is what a person calls a cell.
std::map<std::string, std::string> addresses(const RunPlan& run) {
  std::map<std::string, std::string> named;
  std::map<std::string, int> numbers;
  for (const auto& cell : run.cells) {
    std::string name = stage_name(cell.stage);
    name += " " + (cell.arm >= 0 ? run.arms[static_cast<size_t>(cell.arm)].name : cell.name);
    if (cell.prompt >= 0) name += " " + run.prompts[static_cast<size_t>(cell.prompt)].text;
    name += fmt::format(" r{} t{}", cell.replicate, cell.training);
    name += fmt::format(" #{}", numbers[name]++);
    named[name] = cell.address;
  }
  return named;
}

// Names of cells that are in both and have other addresses.
std::set<std::string> changed(const ExperimentPlan& a, const ExperimentPlan& b) {
  const auto before = addresses(a.run), after = addresses(b.run);
  std::set<std::string> names;
  for (const auto& [name, address] : before)
    if (const auto found = after.find(name); found != after.end() && found->second != address) names.insert(name);
  return names;
}

std::vector<const PlannedCell*> cells_of(const ExperimentPlan& plan, CellStage stage, const std::string& name) {
  std::vector<const PlannedCell*> cells;
  for (const auto& cell : plan.run.cells) {
    const std::string& own = cell.arm >= 0 ? plan.run.arms[static_cast<size_t>(cell.arm)].name : cell.name;
    if (cell.stage == stage && own == name) cells.push_back(&cell);
  }
  return cells;
}

std::set<std::string> files_of(const ExperimentPlan& plan, CellStage stage, const std::string& name) {
  std::set<std::string> files;
  for (const auto* cell : cells_of(plan, stage, name)) files.insert(cell->file);
  return files;
}

void check_counts() {
  const auto plan = plan_of(small_experiment);
  std::map<CellStage, int> count;
  for (const auto& cell : plan.run.cells) ++count[cell.stage];
  EXPECT_EQ(count[CellStage::set_picture], 4);
  EXPECT_EQ(count[CellStage::set], 1);
  EXPECT_EQ(count[CellStage::lora], 3) << "two checkpoints and the last";
  EXPECT_EQ(count[CellStage::random_lora], 1);
  EXPECT_EQ(count[CellStage::embedding], 1);
  EXPECT_EQ(count[CellStage::picture], 8);
  EXPECT_EQ(count[CellStage::metrics], 8);
  EXPECT_EQ(plan.run.prompts.size(), 2u);
  EXPECT_TRUE(plan.run.counts_test_run);
  EXPECT_EQ(plan.run.arms[0].trainings, 0);
  EXPECT_EQ(plan.run.arms[1].trainings, 1);
  EXPECT_EQ(plan_of(small_experiment).run.hash(), plan.run.hash());
}

void check_added_arm() {
  const auto before = plan_of(small_experiment);
  const auto after = plan_of(with_more("[arms.word]\nnegative_prompt = \"wrong\"\n"));
  EXPECT_TRUE(changed(before, after).empty());
  EXPECT_EQ(after.run.cells.size(), before.run.cells.size() + 4) << "two pictures and their metrics";
  const auto sweep =
      plan_of(with_more("[sweeps.cfg]\narms = [\"nothing\"]\ncfg_scale = [3]\n[analysis]\nprimary = \"article - nothing\"\n"));
  EXPECT_TRUE(changed(before, sweep).empty());
  EXPECT_EQ(sweep.run.cells.size(), before.run.cells.size() + 4);
  const auto prompt = plan_of(with_text("test = [", "test = [\n\"cat on a red background\","));
  EXPECT_TRUE(changed(before, prompt).empty()) << "noise follows the prompt, not its place";
  EXPECT_EQ(prompt.run.cells.size(), before.run.cells.size() + 8);
}

void check_changed_settings() {
  const auto before = plan_of(small_experiment);
  const auto arm =
      changed(before, plan_of(with_text("\"wrong\"\nlora = [\"wrong\"]", "\"wrong\"\ncfg_scale = 5\nlora = [\"wrong\"]")));
  EXPECT_EQ(arm.size(), 4u);
  for (const auto& name : arm) EXPECT_TRUE(contains(name, " article ")) << name;
  const auto all = changed(before, plan_of(with_text("cfg_scale = 4\n", "cfg_scale = 5\n")));
  EXPECT_EQ(all.size(), 16u) << "pictures and metrics; the set has its own guidance scales";
  const auto lora = changed(before, plan_of(with_text("rank = 2", "rank = 3")));
  for (const auto& name : lora)
    EXPECT_FALSE(contains(name, "nothing") || contains(name, "embedd") || name.starts_with("set")) << name;
  EXPECT_EQ(lora.size(), 4u + 8u) << "three checkpoints, the random LoRA, two arms";
  const auto set = changed(before, plan_of(with_text("caption = \"wrong\"", "caption = \"bad\"")));
  EXPECT_FALSE(set.contains("set-picture wrong r-1 t-1 #0"));
  EXPECT_TRUE(set.contains("set wrong r-1 t-1 #0"));
  EXPECT_EQ(set.size(), 1u + 4u + 1u + 12u);
  EXPECT_TRUE(changed(before, plan_of(with_text("# The arms.", "# Arms.\n"))).empty());
}

void check_shared_files() {
  const auto plan =
      plan_of(with_more("[arms.again]\nlora = [\"wrong\"]\nnegative_prompt = \"wrong\"\n[sets.again]\nkeywords = [\"blurry\", "
                        "\"ugly\"]\ncfg_scale = [4, 6]\ncaption = \"bad\"\n[loras.again]\nset = \"again\"\nsteps = "
                        "1\n[arms.other]\nlora = [\"again\"]\n"));
  EXPECT_EQ(files_of(plan, CellStage::picture, "again"), files_of(plan, CellStage::picture, "article"));
  EXPECT_NE(files_of(plan, CellStage::picture, "again"), files_of(plan, CellStage::picture, "nothing"));
  const auto first = cells_of(plan, CellStage::set_picture, "wrong"), second = cells_of(plan, CellStage::set_picture, "again");
  ASSERT_EQ(first.size(), 4u);
  ASSERT_EQ(second.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(first[i]->address, second[i]->address);
    EXPECT_NE(first[i]->file, second[i]->file) << "each folder has all of its set's pictures";
  }
}

void check_noise() {
  const auto plan = plan_of(with_text("seed = 1", "seed = 1\nreplicates = 2", with_more("[arms.tune]\nprompts = \"tune\"\n")));
  std::map<std::pair<int, int>, std::set<uint64_t>> seeds;
  std::set<uint64_t> all;
  for (const auto& [number, picture] : plan.pictures) {
    const auto& cell = plan.run.cells[number];
    if (cell.stage != CellStage::picture) continue;
    seeds[{cell.prompt, cell.replicate}].insert(picture.picture.seed.value());
    all.insert(picture.picture.seed.value());
  }
  EXPECT_EQ(seeds.size(), 6u);
  for (const auto& [place, own] : seeds) EXPECT_EQ(own.size(), 1u);
  EXPECT_EQ(all.size(), 6u);
  const auto more = plan_of(with_text("seed = 1", "seed = 1\nreplicates = 3"));
  EXPECT_EQ(more.run.prompts[0].noise_seeds[1], plan.run.prompts[0].noise_seeds[1]);
  EXPECT_NE(plan_of(with_text("seed = 1", "seed = 2")).run.prompts[0].noise_seeds[0], plan.run.prompts[0].noise_seeds[0]);
  EXPECT_TRUE(changed(plan, plan_of(with_text("seed = 1", "seed = 2"))).contains("set-picture wrong r-1 t-1 #0"));
}

void check_drawn_seeds() {
  const auto file = test::parsed(with_text("seed = 1\n", "replicates = 2\n"));
  const auto first = plan_of(file), other = plan_of(file);
  EXPECT_NE(first.run.base_seeds, other.run.base_seeds);
  EXPECT_NE(first.run.base_seeds[0], first.run.base_seeds[1]);
  EXPECT_EQ(plan_of(file, &first.run).run.hash(), first.run.hash());
  const auto more = plan_of(test::parsed(with_text("seed = 1\n", "replicates = 3\n")), &first.run);
  ASSERT_EQ(more.run.base_seeds.size(), 3u);
  EXPECT_TRUE(std::equal(first.run.base_seeds.begin(), first.run.base_seeds.end(), more.run.base_seeds.begin()));
  EXPECT_TRUE(changed(first, more).empty());
}

void check_training_seeds() {
  const auto plan = plan_of(with_text("seed = 1", "seed = 1\ntraining_seeds = 2", with_text("rank = 2", "rank = 2\nseed = 5")));
  std::set<uint64_t> seeds;
  for (const auto& [number, training] : plan.trainings)
    if (plan.run.cells[number].name == "wrong") seeds.insert(training.seed);
  EXPECT_EQ(seeds, (std::set<uint64_t>{5, 6}));
  EXPECT_EQ(cells_of(plan, CellStage::picture, "article").size(), 4u);
  EXPECT_EQ(files_of(plan, CellStage::picture, "article").size(), 4u);
  EXPECT_EQ(cells_of(plan, CellStage::picture, "random").size(), 4u);
  EXPECT_EQ(cells_of(plan, CellStage::picture, "nothing").size(), 2u);
}

void check_files_from_outside() {
  TemporaryFolder folder;
  const fs::path kept = test::source_folder() / "tests/golden";
  write_atomically(folder / "a.safetensors", "one");
  write_atomically(folder / "b.safetensors", "one");
  write_atomically(folder / "c.safetensors", "two");
  const auto plan = [&](const std::string& file) {
    return plan_of(
        parse_experiment(with_more("[loras.kept]\nfile = \"" + file +
                                   "\"\n[loras.of-kept]\nrandom_of = \"kept\"\n[loras.sum]\nmerge = [\"kept:0.5\", \"wrong:1\"]\n"
                                   "[embeddings.word]\nfile = \"" +
                                   file +
                                   "\"\n[arms.kept]\nlora = [\"kept:0.5\"]\n[arms.of-kept]\nlora = [\"of-kept\"]\n"
                                   "[arms.sum]\nlora = [\"sum\"]\n[arms.word]\nembedding = [\"word\"]\n[arms.plain]\nlora = [\"" +
                                   file + ":0.5\"]\n"),
                         folder / "x.toml"));
  };
  const auto a = plan("a.safetensors");
  EXPECT_TRUE(changed(a, plan("b.safetensors")).empty());
  const auto other = changed(a, plan("c.safetensors"));
  EXPECT_EQ(other.size(), 5u * 4 + 2) << "five arms, the random LoRA and the sum";
  EXPECT_EQ(files_of(a, CellStage::picture, "kept"), files_of(a, CellStage::picture, "plain"));
  EXPECT_EQ(a.run.arms[4].name, "kept");
  EXPECT_EQ(a.run.arms[4].trainings, 0);
  EXPECT_EQ(a.run.arms[5].trainings, 1);
}

void check_places() {
  const auto hash_in = [](const fs::path& folder) {
    make_folder(folder / "mine");
    fs::copy_file(test::source_folder() / "models/emoji-xl/reference/000.png", folder / "mine/a.png");
    write_atomically(folder / "a.safetensors", "one");
    const std::string more =
        "[sets.mine]\nfolder = \"mine\"\ncaption = \"mine\"\n[loras.mine]\nset = \"mine\"\n[loras.file]\nfile = "
        "\"a.safetensors\"\n"
        "[arms.mine]\nlora = [\"mine\", \"file:0.5\", \"./a.safetensors:1:negative\"]\nembedding = [\"a.safetensors=<a>\", "
        "\"a.safetensors\"]\n";
    return plan_of(parse_experiment(with_more(more), folder / "x.toml")).run.hash();
  };
  TemporaryFolder one, two;
  EXPECT_EQ(hash_in(one.path()), hash_in(two / "far/away"));
}

void check_words_of_embeddings() {
  TemporaryFolder folder;
  write_atomically(folder / "a.safetensors", "one");
  const auto plan = [&](const std::string& table, const std::string& use) {
    return plan_of(parse_experiment(with_more("[embeddings.word]\n" + table + "[arms.word]\nembedding = [\"" + use + "\"]\n"),
                                    folder / "x.toml"));
  };
  const std::string file = "file = \"a.safetensors\"\n";
  const auto kept = plan(file, "word");
  EXPECT_EQ(changed(kept, plan(file + "name = \"<other>\"\n", "word")).size(), 4u);
  EXPECT_TRUE(changed(kept, plan(file, "a.safetensors=<word>")).empty()) << "the same file under the same word";
  EXPECT_EQ(changed(kept, plan(file, "a.safetensors")).size(), 4u) << "the file's own word";
  const auto trained = plan("set = \"wrong\"\nsteps = 2\n", "word");
  EXPECT_EQ(changed(trained, plan("set = \"wrong\"\nsteps = 2\nname = \"<other>\"\n", "word")).size(), 1u + 4u);
}

void check_captions_of_a_folder() {
  TemporaryFolder folder;
  make_folder(folder / "mine");
  fs::copy_file(test::source_folder() / "models/emoji-xl/reference/000.png", folder / "mine/a.png");
  const auto plan = [&](const std::string& caption) {
    write_atomically(folder / "mine/a.txt", caption);
    return plan_of(parse_experiment(
        with_more("[sets.mine]\nfolder = \"mine\"\n[loras.mine]\nset = \"mine\"\n[arms.mine]\nlora = [\"mine\"]\n"),
        folder / "x.toml"));
  };
  EXPECT_EQ(plan("cat").sets.size(), 2u);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { plan("pizza on a red background"); }),
                       "[sets.mine] the caption \"pizza on a red background\" stands in the list test"));
  fs::rename(folder / "mine/a.txt", folder / "mine/b.txt");
  const auto text = with_more("[sets.mine]\nfolder = \"mine\"\n[loras.mine]\nset = \"mine\"\n[arms.mine]\nlora = [\"mine\"]\n");
  const auto message = error_of(ErrorKind::input, [&] { plan_of(parse_experiment(text, folder / "x.toml")); });
  EXPECT_TRUE(contains(message, "[sets.mine] [a.png] has no caption")) << message;
  EXPECT_TRUE(contains(message, "one text for all of them would be caption = \"wrong\"")) << message;
}

void check_refused_arms() {
  const auto refused = [](const std::string& line) {
    return error_of(ErrorKind::input, [&] { plan_of(with_text("[arms.nothing]", "[arms.nothing]\n" + line)); });
  };
  EXPECT_TRUE(contains(refused("guidance_interval = \"1:0\""), "arms.nothing"));
  EXPECT_TRUE(contains(refused("width = 17"), "arms.nothing"));
  EXPECT_TRUE(contains(refused("model = \"nowhere\""), "nowhere"));
}

TEST(Plan, ChangesAnAddressWhereWhatDecidesTheCellChangesAndNowhereElse) {
  check_added_arm();
  check_changed_settings();
  check_words_of_embeddings();
}

TEST(Plan, TakesFilesByTheirBytesWhereverTheyLie) {
  check_files_from_outside();
  check_places();
  check_captions_of_a_folder();
  check_refused_arms();
}

TEST(Plan, GivesThePicturesOfARowTheSameNoise) {
  check_noise();
  check_drawn_seeds();
  check_training_seeds();
}

TEST(Plan, HasEveryCellOnce) {
  check_counts();
  check_shared_files();
}

}  // namespace
}  // namespace negativa
