// Trainings and what is made of them: a cell's file depends on its address alone.
#include <fstream>

#include "base/files.h"
#include "base/json.h"
#include "experiment/experiment_text.h"
#include "experiment/small_experiment.h"
#include "io/safetensors.h"
#include "lora/merge.h"
#include "lora/random_lora.h"
#include "model/lora_targets.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

constexpr const char* toml = R"(
seed = 1
[default]
threads = 1
steps = 1
[prompts]
test = ["frog on a teal background"]
[sets.wrong]
keywords = ["blurry"]
pictures = 2
caption = "wrong"
[loras.wrong]
set = "wrong"
steps = 3
rank = 2
checkpoint_every = 1
checkpoints = [1]
[loras.random]
random_of = "wrong"
[loras.mixed]
merge = ["wrong:0.5", "random:-1"]
[embeddings.bad]
set = "wrong"
steps = 3
checkpoint_every = 1
[analysis]
metric = "sharpness"
metrics = ["sharpness"]
[arms.nothing]
[arms.article]
lora = ["wrong"]
[arms.early]
lora = ["wrong@1"]
[arms.random]
lora = ["random"]
[arms.mixed]
lora = ["mixed"]
[arms.embedding]
negative_prompt = "<bad>"
embedding = ["bad"]
)";

struct MakeTrainings : testing::Test {
  test::SmallExperiment experiment{toml};
  const size_t last = experiment.cell(CellStage::lora, "wrong"), early = experiment.cell(CellStage::lora, "wrong@1");

  std::string sha256(const RunStore& store, size_t cell) const { return experiment.record(store, cell).sha256; }
  void remove(const RunStore& store, size_t cell) const {
    const fs::path file = experiment.path(store, cell);
    fs::remove(file);
    fs::remove(fs::path(file).replace_extension(".json"));
  }
};

// Stops a training behind a step, or keeps what a process killed there would leave.
struct AtStep : EventSink {
  int64_t step = 1;
  CancelToken stop;
  fs::path folder, copy;

  void on_loss(const LossEvent& event) override {
    if (event.step == step && copy.empty()) stop.cancel();
  }
  void on_checkpoint(const CheckpointEvent& event) override {
    if (event.step == step && !copy.empty() && !fs::exists(copy)) fs::copy(folder, copy, fs::copy_options::recursive);
  }
};

TEST_F(MakeTrainings, GiveTheSameFileHoweverOftenTheyAreStoppedOrKilledOrTheFileDamaged) {
  for (const size_t cell : {last, experiment.cell(CellStage::embedding, "bad")}) {
    const std::string name = experiment.plan.run.cells[cell].name;
    AtStep killed;
    killed.step = 1;
    killed.folder = experiment.place / ("whole " + name);
    killed.copy = experiment.place / ("killed " + name);
    RunStore whole(killed.folder, experiment.silence);
    whole.freeze(experiment.plan.run);
    experiment.make(whole, cell, {killed, killed.stop});

    RunStore again(killed.copy, experiment.silence);
    EXPECT_EQ(again.state(experiment.plan.run.cells[cell]), CellState::missing);
    AtStep stopped;
    stopped.step = 2;
    EXPECT_TRUE(contains(error_of(ErrorKind::cancelled,
                                  [&] {
                                    experiment.make(again, cell, {stopped, stopped.stop});
                                  }),
                         "2 of 3 steps are saved"));
    experiment.make(again, cell);
    EXPECT_EQ(sha256(again, cell), sha256(whole, cell)) << name;
    const std::string bytes = read_file(experiment.path(whole, cell));
    EXPECT_EQ(read_file(experiment.path(again, cell)), bytes);
    {  // in place, as a disk does it
      std::fstream file(experiment.path(again, cell), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(-1, std::ios::end);
      file.put(static_cast<char>(bytes.back() ^ 1));
    }
    ASSERT_EQ(again.state(experiment.plan.run.cells[cell]), CellState::damaged);
    experiment.make(again, cell);
    EXPECT_EQ(read_file(experiment.path(again, cell)), bytes);
  }
}

TEST_F(MakeTrainings, MakeAStepOnTheWayTheSameBeforeAndBehindTheLastOne) {
  RunStore store(experiment.place / "run", experiment.silence);
  experiment.make(store, last);
  const std::string first = sha256(store, early), whole = sha256(store, last);
  EXPECT_NE(first, whole);
  remove(store, early);
  experiment.make(store, early);
  EXPECT_EQ(sha256(store, early), first);
  // Both are gone, and the training is over.
  remove(store, early);
  remove(store, last);
  experiment.make(store, last);
  EXPECT_EQ(sha256(store, early), first);
  EXPECT_EQ(sha256(store, last), whole);
  // Without steps on the way it is the same cell.
  std::string text = toml;
  text.erase(text.find("checkpoints = [1]"), 17);
  text.erase(text.find("[arms.early]"), text.find("[arms.random]") - text.find("[arms.early]"));
  test::SmallExperiment direct(text);
  RunStore other(direct.place / "run", direct.silence);
  const size_t cell = direct.cell(CellStage::lora, "wrong");
  direct.make(other, cell);
  EXPECT_EQ(direct.plan.run.cells[cell].address, experiment.plan.run.cells[last].address);
  EXPECT_EQ(direct.record(other, cell).sha256, whole);
}

TEST_F(MakeTrainings, SayOfWhichPicturesTheyAreMade) {
  RunStore store(experiment.place / "run", experiment.silence);
  experiment.make(store, last);
  const CellRecord record = experiment.record(store, last);
  const auto& set = experiment.plan.sets.at(experiment.cell(CellStage::set, "wrong", -1));
  for (const size_t picture : set.pictures) {
    const std::string name = fs::path(experiment.plan.run.cells[picture].file).filename();
    const auto found =
        std::find_if(record.inputs.begin(), record.inputs.end(), [&](const RecipeInput& input) { return input.name == name; });
    ASSERT_NE(found, record.inputs.end()) << name;
    EXPECT_EQ(found->sha256, sha256(store, picture));
  }
  EXPECT_GT(record.timings_s.at("step"), 0);
  EXPECT_GT(record.timings_s.at("total"), record.timings_s.at("step"));
  EXPECT_EQ(record.recipe_json, experiment.plan.recipe_json[last]);
  // Another picture than the one whose hash is known is refused, and named.
  const fs::path picture = experiment.path(store, set.pictures.front());
  write_atomically(picture, read_file(experiment.path(store, set.pictures.back())));
  remove(store, last);
  EXPECT_TRUE(contains(error_of(ErrorKind::input,
                                [&] {
                                  train_lora_cell({test::engine(), experiment.plan, store, test::nobody()}, last);
                                }),
                       picture.filename().string()));
}

std::string with_set(const fs::path& folder, const std::string& more) {
  std::string text = toml;
  const auto begin = text.find("keywords"), end = text.find("caption = \"wrong\"\n");
  return text.replace(begin, end - begin + 18, "folder = \"" + folder.string() + "\"\n" + more);
}

TEST(TrainingOnAPersonsSet, StopsWhereThePicturesAreNotThoseOfThePlan) {
  const TemporaryFolder place;
  const fs::path reference = test::source_folder() / "models/emoji-xl/reference", folder = place / "own";
  make_folder(folder / "inside");
  fs::copy_file(reference / "000.png", folder / "a.png");
  test::SmallExperiment experiment(with_set(folder, "caption = \"wrong\"\n"));
  RunStore store(experiment.place / "run", experiment.silence);
  const size_t cell = experiment.cell(CellStage::lora, "wrong@1");
  fs::copy_file(reference / "001.png", folder / "b.png");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { experiment.make(store, cell); }), "b.png in "));
  fs::rename(folder / "b.png", folder / "a.png");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { experiment.make(store, cell); }), "a.png in "));
  fs::copy_file(reference / "000.png", folder / "a.png", fs::copy_options::overwrite_existing);
  experiment.make(store, cell);
  const auto inputs = experiment.record(store, cell).inputs;
  EXPECT_TRUE(std::any_of(inputs.begin(), inputs.end(), [](const RecipeInput& input) { return input.name == "a.png"; }));
  write_atomically(folder / "metadata.jsonl", "{\"file_name\": \"inside/b.png\", \"text\": \"frog\"}\n");
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { test::SmallExperiment again(with_set(folder, "")); }), "inside/b.png"));
}

TEST(TrainingOnTheWay, IsRefusedWhereTheRateFollowsFromTheNumberOfSteps) {
  std::string text = toml;
  text.insert(text.find("rank = 2"), "lr_scheduler = \"cosine\"\n");
  const std::string line = error_of(ErrorKind::input, [&] { parse_experiment(text, "x.toml"); });
  EXPECT_TRUE(contains(line, "checkpoints") && contains(line, "cosine")) << line;
}

TEST_F(MakeTrainings, MakeRandomAndMergedLorasThatSayWhatTheyAre) {
  RunStore store(experiment.place / "run", experiment.silence);
  const size_t random = experiment.cell(CellStage::random_lora, "random"),
               mixed = experiment.cell(CellStage::merged_lora, "mixed");
  experiment.make(store, mixed);
  const auto models = test::engine().open(model_request({}, test::places()));
  const LoraTargets targets = lora_targets(models->files());
  const auto read = [&](size_t cell) {
    return std::make_shared<const LoraFile>(read_lora(experiment.path(store, cell), targets));
  };
  const auto source = read(last), shuffled = read(random), sum = read(mixed);
  EXPECT_EQ(shuffled->metadata.at("negativa.random_of"), experiment.path(store, last).filename());
  EXPECT_EQ(sum->metadata.at("modelspec.merged_from"),
            experiment.path(store, last).filename().string() + ", " + experiment.path(store, random).filename().string());
  const auto expected = merge_loras({{source, 0.5}, {shuffled, -1}}, MergeMethod::concat);
  ASSERT_FALSE(source->modules.at("unet").empty());
  for (const auto& [name, module] : source->modules.at("unet")) {
    const Tensor values = singular_values(module), others = singular_values(shuffled->modules.at("unet").at(name));
    EXPECT_LT((values - others).abs().max().item<double>(), 1e-5 * values.max().item<double>()) << name;
    EXPECT_LT(delta_distance(sum->modules.at("unet").at(name), expected.modules.at("unet").at(name)), 1e-6) << name;
    EXPECT_LT(std::abs(delta_inner(module, shuffled->modules.at("unet").at(name))), 0.5 * values.square().sum().item<double>());
  }
  const CellRecord record = experiment.record(store, random);
  EXPECT_EQ(record.inputs.size(), 1u);
  EXPECT_EQ(record.inputs.front().sha256, sha256(store, last));
}

TEST(GoOnTraining, FromALoraOfTheExperimentIsDecidedByItAndIsWhatTrainLoraMakes) {
  const std::string text =
      std::string(toml) +
      "[loras.next]\nset = \"wrong\"\nsteps = 2\nnetwork_weights = \"wrong\"\n[arms.next]\nlora = [\"next\"]\n";
  test::SmallExperiment experiment(text);
  const size_t before = experiment.cell(CellStage::lora, "wrong"), next = experiment.cell(CellStage::lora, "next");
  EXPECT_EQ(experiment.plan.trainings.at(next).goes_on_from, before);
  RunStore store(experiment.place / "run", experiment.silence);
  store.freeze(experiment.plan.run);
  experiment.make(store, next);
  const LoraTargets targets = lora_targets(test::engine().open(model_request({}, test::engine().places()))->files());
  const LoraFile first = read_lora(experiment.path(store, before), targets),
                 second = read_lora(experiment.path(store, next), targets);
  ASSERT_FALSE(first.modules.at("unet").empty());
  // Two steps of 1e-4 away from where it went on: a new LoRA's factors would be elsewhere.
  double moved = 0;
  for (const auto& [name, module] : first.modules.at("unet"))
    moved = std::max(moved, (module.down - second.modules.at("unet").at(name).down).abs().max().item<double>());
  EXPECT_GT(moved, 0);
  EXPECT_LT(moved, 1e-3);
  // Another LoRA before it is another cell.
  test::SmallExperiment other(test::with_text("rank = 2", "rank = 2\nlearning_rate = 2e-4", text));
  EXPECT_NE(other.plan.run.cells[other.cell(CellStage::lora, "next")].address, experiment.plan.run.cells[next].address);
}

}  // namespace
}  // namespace negativa
