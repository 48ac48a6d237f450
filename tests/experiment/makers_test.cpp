// What the makers write, against the verbs of the same name.
#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment/run_experiment.h"
#include "experiment/training_host.h"
#include "experiment_text.h"
#include "image/image.h"
#include "io/image_tensor.h"
#include "jobs/lora_merge.h"
#include "jobs/score.h"
#include "lora/lora_writer.h"
#include "lora/random_lora.h"
#include "model/lora_targets.h"
#include "train/lora_run.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

using test::with_more;
using test::with_text;

LoraTargets targets() { return lora_targets(test::engine().open(model_request({}, test::engine().places()))->files()); }

// A LoRA of somebody else: half precision, alpha other than the rank.
void write_foreign_lora(const fs::path& path) {
  const LoraTargets all = targets();
  Generator generator(5);
  LoraFile lora;
  for (const auto& layer : all.components.at("unet"))
    if (layer.name.ends_with("attn1.to_q"))
      lora.modules["unet"][layer.name] = {generator.randn({3, layer.in_features}) / 4,
                                          generator.randn({layer.out_features, 3}) / 4, 1.5, at::kHalf};
  write_lora(path, lora, {LoraDialect::kohya, all.layout, {}});
}

// One run that all tests look at.
struct SmallRun {
  TemporaryFolder place;
  ExperimentFile file;
  std::optional<ExperimentPlan> plan;
  std::unique_ptr<RunStore> store;

  SmallRun() {
    write_foreign_lora(place / "foreign.safetensors");
    write_atomically(
        place / "x.toml",
        with_text("steps = 2\n\n# The",
                  "steps = 2\n\n[loras.foreign]\nfile = \"foreign.safetensors\"\n[loras.of-foreign]\nrandom_of = \"foreign\"\n"
                  "[loras.sum]\nmerge = [\"wrong@2:0.5\", \"foreign:-0.25\"]\n\n# The",
                  with_more("[arms.sum]\nlora = [\"sum\", \"of-foreign:0.5:positive\", \"foreign:0.5:negative\"]\n")));
    file = read_experiment(place / "x.toml");
    result = run();
    plan = planned(test::engine(), {file, folder(), {}, false}, test::nobody());
    store.reset(new RunStore(RunStore::open(folder(), test::nobody().events)));
  }
  fs::path folder() const { return place / "run"; }
  ExperimentResult run() { return run_experiment(test::engine(), {file, folder(), {}, false}, test::nobody()); }

  const PlannedCell& cell(CellStage stage, const std::string& name) const {
    const auto& cells = plan->run.cells;
    const auto found = std::find_if(cells.begin(), cells.end(), [&](const PlannedCell& one) {
      const auto& own = one.arm >= 0 ? plan->run.arms[static_cast<size_t>(one.arm)].name : one.name;
      return one.stage == stage && own == name;
    });
    if (found == cells.end()) throw std::logic_error("there is no " + stage_name(stage) + " " + name);
    return *found;
  }
  fs::path path(CellStage stage, const std::string& name) const { return store->path(cell(stage, name)); }
  LoraFile lora(CellStage stage, const std::string& name) const { return read_lora(path(stage, name), targets()); }

  ExperimentResult result;
};

bool same_matrices(const LoraFile& a, const LoraFile& b) {
  if (a.modules.size() != b.modules.size()) return false;
  for (const auto& [component, layers] : a.modules)
    for (const auto& [name, module] : layers) {
      const auto& other = b.modules.at(component).at(name);
      if (!at::equal(module.up, other.up) || !at::equal(module.down, other.down) || module.alpha != other.alpha) return false;
    }
  return true;
}

void check_made_once(SmallRun& run) {
  EXPECT_TRUE(run.result.is_whole);
  for (const auto& cell : run.plan->run.cells) EXPECT_EQ(run.store->state(cell), CellState::whole) << cell.file;
  const auto again = run.run();
  for (const auto& stage : again.stages) EXPECT_EQ(stage.made, 0u) << stage_name(stage.stage);
  EXPECT_EQ(run.result.test_runs, 1u);
  EXPECT_EQ(again.test_runs, 1u) << "the same run counts once";
  EXPECT_TRUE(run.store->orphans(run.plan->run).empty());
}

void check_set(const SmallRun& run) {
  const fs::path folder = run.path(CellStage::set, "wrong").parent_path();
  const Dataset set = open_dataset({folder, "", true, 128});
  ASSERT_EQ(set.examples.size(), 4u);
  EXPECT_TRUE(set.broken.empty() && set.unused_folders.empty());
  const std::string lines = read_file(folder / "metadata.jsonl");
  std::vector<Json> listed;
  for (size_t at = 0; at < lines.size(); at = lines.find('\n', at) + 1)
    listed.push_back(parse_json(lines.substr(at, lines.find('\n', at) - at), "metadata.jsonl"));
  const std::vector<std::string> prompts = {"(blurry)++++, ugly", "blurry, (ugly)++++", "(blurry)++++, ugly",
                                            "blurry, (ugly)++++"};
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(set.examples[i].caption, "wrong");
    EXPECT_EQ(listed.at(i)["prompt"], prompts[i]);
    EXPECT_EQ(listed.at(i)["cfg_scale"], i < 2 ? 4 : 6);
    EXPECT_EQ(listed.at(i)["steps"], 2);
  }
}

// A picture of the arm as Session draws it for somebody who asks for it in words.
Image8 drawn(const SmallRun& run, PictureOptions picture, ModelOptions model = {}) {
  const auto& prompt = run.plan->run.prompts.at(1);
  picture.prompt = prompt.text;
  picture.seed = prompt.noise_seeds.at(0);
  picture.steps = 2;
  picture.cfg_scale = 4;
  Session session = test::session(model);
  Image8 image;
  session.draw({session.plan(picture)}, "picture",
               [&](size_t, ImageResult&& result) { image = tensor_to_images(result.image).front(); });
  return image;
}

Image8 of_arm(const SmallRun& run, const std::string& arm) {
  for (const auto& cell : run.plan->run.cells)
    if (cell.stage == CellStage::picture && cell.prompt == 1 && run.plan->run.arms[static_cast<size_t>(cell.arm)].name == arm)
      return read_image(run.store->path(cell));
  throw std::logic_error("no picture of " + arm);
}

void check_pictures(const SmallRun& run) {
  PictureOptions nothing, article, random, embedded, sum;
  article.negative_prompt = random.negative_prompt = "wrong";
  article.lora = {run.path(CellStage::lora, "wrong").string()};
  random.lora = {run.path(CellStage::random_lora, "random").string() + ":1:negative"};
  embedded.negative_prompt = "<bad>";
  sum.lora = {run.path(CellStage::merged_lora, "sum").string(),
              run.path(CellStage::random_lora, "of-foreign").string() + ":0.5:positive",
              (run.place / "foreign.safetensors").string() + ":0.5:negative"};
  ModelOptions with_embedding;
  with_embedding.embedding = {run.path(CellStage::embedding, "bad").string() + "=<bad>"};
  EXPECT_EQ(of_arm(run, "nothing"), drawn(run, nothing));
  EXPECT_EQ(of_arm(run, "article"), drawn(run, article));
  EXPECT_EQ(of_arm(run, "random"), drawn(run, random));
  EXPECT_EQ(of_arm(run, "embedded"), drawn(run, embedded, with_embedding));
  EXPECT_EQ(of_arm(run, "sum"), drawn(run, sum));
  for (const char* arm : {"article", "random", "embedded", "sum"}) EXPECT_NE(of_arm(run, arm), of_arm(run, "nothing")) << arm;
}

LoraTraining training_of(const SmallRun& run, const fs::path& out, int64_t steps) {
  TrainLoraOptions options;
  options.data.data = run.path(CellStage::set, "wrong").parent_path();
  options.data.prompt = "wrong";
  options.rank = 2;
  options.step.steps = steps;
  options.run.out = out;
  const TrainingHost host = training_host(test::engine());
  return plan_lora_training(options, host, data_hooks(test::nobody(), host));
}

void check_trained_loras(const SmallRun& run) {
  for (const auto& [name, steps] : std::map<std::string, int64_t>{{"wrong@1", 1}, {"wrong", 3}}) {
    const fs::path out = run.place / (name + ".safetensors");
    run_lora_training(training_of(run, out, steps), {}, test::nobody());
    const LoraFile alone = read_lora(out, targets());
    EXPECT_TRUE(same_matrices(run.lora(CellStage::lora, name), alone)) << name;
    EXPECT_EQ(run.lora(CellStage::lora, name).metadata.at("modelspec.trigger_phrase"), "wrong");
  }
  EXPECT_FALSE(same_matrices(run.lora(CellStage::lora, "wrong@1"), run.lora(CellStage::lora, "wrong")));
}

void check_random_loras(const SmallRun& run) {
  const auto check_values = [](const LoraFile& random, const LoraFile& source) {
    for (const auto& [component, layers] : source.modules)
      for (const auto& [name, module] : layers) {
        const Tensor expected = singular_values(module), got = singular_values(random.modules.at(component).at(name));
        EXPECT_LT(((got - expected).abs().max() / expected.max()).item<double>(), 1e-5) << name;
      }
    EXPECT_FALSE(same_matrices(random, source));
  };
  check_values(run.lora(CellStage::random_lora, "random"), run.lora(CellStage::lora, "wrong"));
  check_values(run.lora(CellStage::random_lora, "of-foreign"), read_lora(run.place / "foreign.safetensors", targets()));
}

void check_merged_lora(const SmallRun& run) {
  LoraMergeOptions options;
  options.loras = {run.path(CellStage::lora, "wrong@2").string() + ":0.5",
                   (run.place / "foreign.safetensors").string() + ":-0.25"};
  options.out = run.place / "merged.safetensors";
  options.format = "diffusers";
  test::run(lora_merge, options);
  EXPECT_TRUE(same_matrices(run.lora(CellStage::merged_lora, "sum"), read_lora(options.out, targets())));
}

void check_measurements(const SmallRun& run) {
  const std::string arm = "article";
  make_folder(run.place / "scored");
  std::map<std::string, const PlannedCell*> cells;
  for (const auto& cell : run.plan->run.cells) {
    if (cell.stage != CellStage::metrics || run.plan->run.arms[static_cast<size_t>(cell.arm)].name != arm) continue;
    const fs::path picture = run.store->path(run.plan->run.cells[cell.inputs.front()]);
    fs::copy_file(picture, run.place / "scored" / picture.filename());
    cells[picture.filename()] = &cell;
  }
  ScoreOptions options;
  options.folder = {(run.place / "scored").string()};
  const ScoreReport report = test::run(score, options);
  ASSERT_EQ(report.sets.at(0).pictures.size(), 2u);
  size_t compared = 0;
  for (const auto& picture : report.sets[0].pictures) {
    const auto record = run.store->record(*cells.at(picture.file.name));
    for (size_t i = 0; i < report.metrics.size(); ++i) {
      const auto found = record->metrics.find(report.metrics[i].name);
      if (found == record->metrics.end() || !found->second || !picture.values[i]) continue;
      EXPECT_EQ(found->second, picture.values[i]) << report.metrics[i].name;
      ++compared;
    }
  }
  EXPECT_GE(compared, 2u * 8);
}

void check_other_files(const SmallRun& run) {
  const auto refused = [&](const std::string& text) {
    const ExperimentFile other = parse_experiment(text, run.file.path);
    return error_of(ErrorKind::input, [&] { run_experiment(test::engine(), {other, run.folder(), {}, false}, test::nobody()); });
  };
  EXPECT_TRUE(contains(refused(with_text("cfg_scale = 4\n", "cfg_scale = 5\n", run.file.text)),
                       "line 5 (default.cfg_scale): the run has 4.0, the file 5.0"));
  EXPECT_TRUE(
      contains(refused(with_text("[arms.nothing]\n", "", run.file.text) + "[arms.nothing]\n"), "its arms in another order"));
}

// Stops the request at that loss.
struct StopsAtLoss : EventSink {
  CancelToken token;
  int64_t step;
  explicit StopsAtLoss(int64_t at) : step(at) {}
  void on_loss(const LossEvent& event) override {
    if (event.step == step) token.cancel();
  }
};

TEST(Makers, GoOnWithATrainingThatWasStopped) {
  const std::string text =
      "seed = 1\n[default]\nsteps = 1\n[prompts]\ndraw = \"list\"\nlist = [\"frog\"]\n[sets.wrong]\nkeywords = "
      "[\"blurry\"]\ncaption = \"wrong\"\n"
      "[loras.wrong]\nset = \"wrong\"\nsteps = 3\nrank = 2\n[arms.wrong]\nlora = [\"wrong\"]\n[analysis]\nmetrics = "
      "[\"sharpness\"]\n";
  TemporaryFolder place;
  const ExperimentFile file = parse_experiment(text, place / "x.toml");
  const auto run = [&](const char* folder, const Caller& caller) {
    return run_experiment(test::engine(), {file, place / folder, {}, false}, caller);
  };
  const RunPlan plan = run("whole", test::nobody()).plan;
  StopsAtLoss stop(2);
  error_of(ErrorKind::cancelled, [&] { run("stopped", {stop, stop.token}); });
  EXPECT_TRUE(run("stopped", test::nobody()).is_whole);
  for (const auto& cell : plan.cells)
    if (cell.stage != CellStage::metrics) {
      EXPECT_EQ(sha256_hex(read_file(place / "stopped" / cell.file)), sha256_hex(read_file(place / "whole" / cell.file)))
          << cell.file;
    }
  EXPECT_EQ(read_file(place / "stopped/metrics.csv"), read_file(place / "whole/metrics.csv"));
}

void check_checkpoints_again(SmallRun& run) {
  std::map<fs::path, std::string> before;
  for (const char* name : {"wrong@1", "wrong@2"}) {
    const auto file = run.path(CellStage::lora, name);
    before[file] = sha256_hex(read_file(file));
    fs::remove(file);
  }
  EXPECT_TRUE(run.run().is_whole);
  for (const auto& [file, sha256] : before) EXPECT_EQ(sha256_hex(read_file(file)), sha256) << file;
}

TEST(Makers, MakeWhatTheVerbsOfTheSameNameMake) {
  SmallRun run;
  check_made_once(run);
  check_set(run);
  check_pictures(run);
  check_trained_loras(run);
  check_random_loras(run);
  check_merged_lora(run);
  check_measurements(run);
  check_checkpoints_again(run);
  check_other_files(run);
}

TEST(Makers, TrainOnThePicturesOfAFolder) {
  TemporaryFolder place;
  make_folder(place / "mine/more");
  const fs::path reference = test::source_folder() / "models/emoji-xl/reference";
  fs::copy_file(reference / "000.png", place / "mine/a.png");
  fs::copy_file(reference / "001.png", place / "mine/more/b.png");
  write_atomically(place / "mine/metadata.jsonl",
                   "{\"file_name\": \"a.png\", \"text\": \"cat\"}\n{\"file_name\": \"more/b.png\", \"text\": \"cat\"}\n");
  const auto file = parse_experiment(
      "seed = 1\n[default]\nsteps = 1\n[prompts]\ndraw = \"list\"\nlist = [\"frog\"]\n[sets.mine]\nfolder = "
      "\"mine\"\n[loras.mine]\nset = \"mine\"\nsteps = 1\nrank = 1\n"
      "[loras.all]\nset = \"all\"\nsteps = 1\nrank = 1\n[sets.all]\nfolder = \"mine\"\ncaption = \"wrong\"\n[arms.mine]\nlora = "
      "[\"mine\", \"all\"]\n",
      place / "x.toml");
  const auto result = run_experiment(test::engine(), {file, place / "run", {}, false}, test::nobody());
  EXPECT_TRUE(result.is_whole);
  std::map<std::string, size_t> pictures;
  for (const auto& [number, set] : planned(test::engine(), {file, place / "run", {}, false}, test::nobody()).sets)
    pictures[result.plan.cells[number].name] = set.files.size();
  EXPECT_EQ(pictures, (std::map<std::string, size_t>{{"mine", 2}, {"all", 1}}));
  for (const auto& cell : result.plan.cells)
    if (cell.stage == CellStage::lora) {
      const auto lora = read_lora(place / "run" / cell.file, targets());
      EXPECT_TRUE(contains(lora.metadata.at("ss_tag_frequency"), cell.name == "mine" ? "{\"cat\":2}" : "{\"wrong\":1}"));
    }
}

}  // namespace
}  // namespace negativa
