// What an experiment measures of its pictures, against `negativa score` on the same files.
#include "base/files.h"
#include "experiment/small_experiment.h"
#include "jobs/score.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

constexpr const char* toml = R"(
seed = 1
[default]
threads = 1
steps = 1
[prompts]
test = ["frog on a teal background", "(pizza)++", "owl", "bus on a red background", "fox next to castle", "cat"]
[arms.nothing]
[arms.word]
negative_prompt = "wrong"
)";

TEST(MeasuredRows, AreWhatScoreSaysOfTheSameFiles) {
  test::SmallExperiment experiment(toml);
  RunStore store(experiment.place / "run", experiment.silence);
  std::map<std::string, std::map<std::string, std::optional<double>>> rows;  // by name of the picture
  ScoreOptions options;
  options.threads = 1;
  const Caller caller{experiment.silence, experiment.never};
  const MakerRun run{test::engine(), experiment.plan, store, caller};
  std::vector<size_t> cells = experiment.cells(CellStage::metrics, "nothing");
  for (const size_t row : experiment.cells(CellStage::metrics, "word")) cells.push_back(row);
  std::vector<size_t> pictures;
  for (const size_t row : cells) pictures.push_back(experiment.plan.run.cells[row].inputs.front());
  draw_pictures(run, pictures);
  measure_pictures(run, cells);
  for (size_t i = 0; i < cells.size(); ++i) {
    const fs::path folder = experiment.place / (i < cells.size() / 2 ? "nothing" : "word");
    make_folder(folder);
    if (i % (cells.size() / 2) == 0) options.folder.push_back(folder.string());
    const fs::path picture = experiment.path(store, pictures[i]);
    fs::copy_file(picture, folder / picture.filename());
    rows[picture.filename()] = experiment.record(store, cells[i]).metrics;
  }
  const ScoreReport report = test::run(score, options);
  EXPECT_EQ(report.basis.damages, experiment.plan.run.damages);
  size_t compared = 0;
  for (const auto& set : report.sets)
    for (const auto& picture : set.pictures) {
      const auto& row = rows.at(picture.file.name);
      ASSERT_EQ(row.size(), report.metrics.size());
      for (size_t m = 0; m < report.metrics.size(); ++m, ++compared)
        EXPECT_EQ(row.at(report.metrics[m].name), picture.values[m]) << picture.file.name << " " << report.metrics[m].name;
    }
  EXPECT_EQ(compared, 12 * experiment.plan.run.metric_names.size());
  EXPECT_GT(experiment.plan.run.metric_names.size(), 10u);
}

}  // namespace
}  // namespace negativa
