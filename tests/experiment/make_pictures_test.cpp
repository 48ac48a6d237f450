// Pictures, the sets that are made of them, and what is measured of them.
#include "base/files.h"
#include "base/json.h"
#include "engine/records.h"
#include "experiment/judging.h"
#include "experiment/small_experiment.h"
#include "io/image_tensor.h"
#include "train/dataset.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

constexpr const char* toml = R"(
seed = 1
[default]
threads = 1
steps = 2
cfg_scale = 4
[prompts]
test = ["frog on a teal background", "pizza"]
[sets.things]
keywords = ["blurry"]
subjects = ["owl", "bus on a red background"]
template = "{keyword}, {subject}"
cfg_scale = [4, 6]
[loras.things]
set = "things"
[analysis]
metrics = ["clip_score", "background_right", "sharpness", "difference"]
metric = "clip_score"
[arms.nothing]
[arms.word]
negative_prompt = "wrong"
cfg_scale = 2.5
[arms.things]
lora = ["things"]
)";

struct MakePictures : testing::Test {
  test::SmallExperiment experiment{toml};
  RunStore store{experiment.place / "run", experiment.silence};
  const Caller caller = test::nobody();
  MakerRun run{test::engine(), experiment.plan, store, caller};
};

TEST_F(MakePictures, DrawWhatASessionDrawsWhateverIsDrawnBesideIt) {
  std::vector<size_t> cells = experiment.cells(CellStage::picture, "nothing");
  for (const size_t cell : experiment.cells(CellStage::picture, "word")) cells.push_back(cell);
  ASSERT_EQ(cells.size(), 4u);
  draw_pictures(run, cells);
  RunStore alone(experiment.place / "alone", experiment.silence);
  draw_pictures({run.engine, run.plan, alone, run.caller}, {cells.back()});
  EXPECT_EQ(experiment.record(store, cells.back()).sha256, experiment.record(alone, cells.back()).sha256);

  const PictureCell& picture = experiment.plan.pictures.at(cells.back());
  Session session = test::session(picture.model);
  Image8 drawn;
  session.draw({session.plan(picture.picture)}, "test",
               [&](size_t, ImageResult&& result) { drawn = tensor_to_images(result.image).front(); });
  EXPECT_EQ(read_image(experiment.path(store, cells.back())).rgb, drawn.rgb);
  EXPECT_NE(read_image(experiment.path(store, cells[1])).rgb, drawn.rgb);

  const CellRecord record = experiment.record(store, cells.back());
  EXPECT_EQ(record.recipe_json, experiment.plan.recipe_json[cells.back()]);
  ASSERT_EQ(record.inputs.size(), 1u);
  EXPECT_EQ(record.inputs.front().role, "model");
  EXPECT_GT(record.timings_s.at("total"), 0);
  EXPECT_GT(record.threads, 0);
}

TEST_F(MakePictures, LeaveAManifestThatTrainingReads) {
  const size_t cell = experiment.cell(CellStage::set, "things", -1);
  const SetCell& set = experiment.plan.sets.at(cell);
  draw_pictures(run, set.pictures);
  write_set(run, cell);
  const fs::path manifest = experiment.path(store, cell);
  const Dataset dataset = open_dataset({manifest.parent_path(), "", true, 64});
  ASSERT_EQ(dataset.examples.size(), 2u);
  EXPECT_EQ(dataset.examples[0].caption, "owl");
  EXPECT_EQ(dataset.examples[1].caption, "bus on a red background");
  const std::string text = read_file(manifest);
  EXPECT_TRUE(text.ends_with("\n"));
  const Json line = parse_json(text.substr(0, text.find('\n')), "metadata.jsonl");
  EXPECT_EQ(line.at("file_name"), dataset.examples[0].name);
  EXPECT_EQ(line.at("prompt"), "(blurry)++++, owl");
  EXPECT_EQ(line.at("cfg_scale"), 4);
  EXPECT_EQ(line.at("seed"), *experiment.plan.pictures.at(set.pictures[0]).picture.seed);
  EXPECT_EQ(experiment.record(store, cell).inputs.size(), 2u);
}

TEST_F(MakePictures, AreMeasuredByThePlansMetricsAndSayNothingWhereThereIsNoNumber) {
  const auto rows = experiment.cells(CellStage::metrics, "word");
  std::vector<size_t> cells;
  for (const size_t row : rows)
    for (const size_t picture : experiment.plan.run.cells[row].inputs) cells.push_back(picture);
  ASSERT_EQ(cells.size(), 4u);
  draw_pictures(run, cells);
  measure_pictures(run, rows);
  Judging judging(experiment.plan.judge);
  const auto metrics = judging.metrics(experiment.plan.run.metric_names, "test");
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& inputs = experiment.plan.run.cells[rows[i]].inputs;
    const Image8 image = read_image(experiment.path(store, inputs[0])), baseline = read_image(experiment.path(store, inputs[1]));
    const std::string caption = experiment.plan.run.prompts[i].text;
    const auto values = judging.measure({image, caption, nullptr, &baseline}, metrics);
    const CellRecord record = experiment.record(store, rows[i]);
    ASSERT_EQ(record.metrics.size(), metrics.size());
    for (size_t m = 0; m < metrics.size(); ++m) EXPECT_EQ(record.metrics.at(metrics[m].name), values[m]) << metrics[m].name;
    EXPECT_EQ(record.metrics.at("background_right").has_value(), i == 0) << "one prompt names no colour";
    EXPECT_GT(record.metrics.at("difference").value_or(0), 0);
    EXPECT_EQ(record.inputs.size(), 3u);  // picture, baseline, judge
  }
  Metric none = metrics.front();
  none.value = [](const auto&, const auto&) { return std::nan(""); };
  EXPECT_EQ(judging.measure({read_image(experiment.path(store, cells[0])), "frog"}, std::span(&none, 1)).front(), std::nullopt);
}

TEST_F(MakePictures, RefuseAnInputThatIsNotWhole) {
  const size_t row = experiment.cells(CellStage::metrics, "nothing").front();
  const size_t picture = experiment.plan.run.cells[row].inputs.front();
  draw_pictures(run, {picture});
  const std::string bytes = read_file(experiment.path(store, picture));
  write_atomically(experiment.path(store, picture), bytes.substr(0, bytes.size() - 1));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { measure_pictures(run, {row}); }),
                       experiment.path(store, picture).filename().string()));
  EXPECT_FALSE(fs::exists(experiment.path(store, row)));
}

}  // namespace
}  // namespace negativa
