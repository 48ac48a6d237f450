#include "jobs/score.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "experiment/calibrate.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

fs::path model() { return fs::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl"; }

constexpr int prompts = 6;
const char* captions[prompts] = {"small santa claus",
                                 "panda next to automobile on a yellow background",
                                 "big whale on a gray background",
                                 "crying face on a yellow background",
                                 "palm tree next to cloud on a gray background",
                                 "tomato on a yellow background"};

// Six reference pictures twice, as two seeds; `changed`: the second seed's in another colour.
void write_set(const fs::path& folder, bool changed, const std::string& extension = ".png") {
  fs::create_directory(folder);
  std::string lines;
  for (int i = 0; i < 2 * prompts; ++i) {
    Image8 image = read_image(model() / "reference" / fmt::format("{:03}.png", i / 2));
    if (changed && i % 2)
      for (size_t at = 0; at < image.rgb.size(); at += 3)
        std::swap(image.rgb[at], image.rgb[at + 1 + static_cast<size_t>(i / 2 % 2)]);
    write_atomically(folder / fmt::format("{}{}", i, extension), encode_png(image));
    lines += Json({{"file_name", fmt::format("{}{}", i, extension)}, {"text", captions[i / 2]}, {"seed", i % 2}}).dump() + "\n";
  }
  write_atomically(folder / names::metadata_jsonl, lines);
}

ScoreReport scored(
    const std::vector<std::string>& folders, const std::function<void(ScoreOptions&)>& set = [](auto&) {}) {
  ScoreOptions options;
  options.folder = folders;
  options.threads = 1;
  set(options);
  return test::run(score, options);
}

const MetricRow& row_of(const ScoreReport& report, const std::string& name) {
  for (size_t m = 0; m < report.metrics.size(); ++m)
    if (report.metrics[m].name == name) return report.rows[m];
  throw std::runtime_error("no metric " + name);
}

TEST(Score, ComparesTwoFoldersByPromptAndSeedWithWhateverNumberOfWorkers) {
  TemporaryFolder place;
  write_set(place / "a", false);
  write_set(place / "b", true);
  const auto options = [&](ScoreOptions& options) {
    options.reference = place / "a";
    options.out = place / "m.csv";
    options.sheet = place / "s.png";
  };
  const auto report = scored({(place / "a").string(), (place / "b").string()}, options);
  ASSERT_EQ(report.first_lines.size(), 1u);
  EXPECT_TRUE(contains(report.first_lines[0], "6 prompts, 12 pairs of pictures, paired by prompt and seed"))
      << report.first_lines[0];
  const auto& score = row_of(report, "clip_score");
  EXPECT_EQ(score.pictures[1], 12u);
  EXPECT_LT(score.differences[0]->difference.mean, 0);
  EXPECT_TRUE(score.differences[0]->paired);
  EXPECT_GT(row_of(report, "difference").means[1]->mean, 3);
  EXPECT_FALSE(row_of(report, "difference").means[0].has_value());
  EXPECT_EQ(row_of(report, "background_right").pictures[0], 10u);  // one caption names no colour
  ASSERT_TRUE(report.cmmd.has_value());
  EXPECT_LT(report.cmmd->unbiased[0], 0);  // against itself
  EXPECT_NEAR(report.cmmd->biased[0], 0, 1e-6);
  EXPECT_GT(report.cmmd->unbiased[1], report.cmmd->unbiased[0]);
  ASSERT_TRUE(report.cmmd->differences[0].has_value());
  EXPECT_NEAR(report.cmmd->differences[0]->value, report.cmmd->unbiased[1] - report.cmmd->unbiased[0], 1e-9);
  const std::string csv = read_file(place / "m.csv");
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 25);
  EXPECT_TRUE(csv.starts_with("folder,file,prompt,seed,width,height,clip_score,"));
  EXPECT_GT(read_image(place / "s.png").height, 12 * 64);
  const auto with_three =
      scored({(place / "a").string(), (place / "b").string()}, [&](ScoreOptions& o) { options(o), o.threads = 3; });
  EXPECT_EQ(score_csv(with_three), csv);
  EXPECT_EQ(with_three.cmmd->unbiased, report.cmmd->unbiased);
}

TEST(Score, SaysFirstWhatPairsNotAndWhatIsAnotherFormatOrSize) {
  TemporaryFolder place;
  write_set(place / "a", false);
  write_set(place / "b", false, ".jpg");  // what a file is its first bytes tell; that it is called otherwise is said
  fs::remove(place / "b/3.jpg");
  std::string lines = read_file(place / "b/metadata.jsonl");
  const auto at = lines.find("{\"file_name\":\"3.jpg\"");
  write_atomically(place / "b/metadata.jsonl", lines.erase(at, lines.find('\n', at) + 1 - at));
  const auto only = [](ScoreOptions& options) { options.metrics = "sharpness"; };
  const auto report = scored({(place / "a").string(), (place / "b").string()}, only);
  ASSERT_EQ(report.first_lines.size(), 2u);
  EXPECT_TRUE(contains(report.first_lines[0], "11 pairs")) << report.first_lines[0];
  EXPECT_TRUE(contains(report.first_lines[0], "PNG of 64x64") && contains(report.first_lines[0], "JPG of 64x64"))
      << report.first_lines[0];
  EXPECT_TRUE(contains(report.first_lines[1], "3.png")) << report.first_lines[1];
  for (int i = 0; i < 2 * prompts; ++i) fs::remove(place / fmt::format("a/{}.txt", i));
  fs::create_directory(place / "c");
  write_atomically(place / "c/one.png", encode_png(Image8::filled(32, 48, white)));
  write_atomically(place / "c/one.txt", "something else\n");
  const auto other = scored({(place / "a").string(), (place / "c").string()}, only);
  EXPECT_TRUE(contains(other.first_lines[0], "unpaired") && contains(other.first_lines[0], "32x48")) << other.first_lines[0];
  EXPECT_FALSE(row_of(other, "sharpness").differences[0]->paired);
}

TEST(Score, TakesCaptionAndSeedFromAPicturesOwnRecipe) {
  TemporaryFolder place;
  fs::create_directory(place / "a");
  Recipe recipe;
  recipe.verb = "generate";
  recipe.settings_json = R"({"prompt": "a (big)1.3 whale, blurry", "weighting": "compel"})";
  recipe.seed = 7;
  recipe.inputs = {{"model", "emoji-xl", std::string(64, '0')}};
  write_atomically(place / "a/x.png", encode_png(Image8::filled(64, 64, white), {{names::png_recipe, recipe.to_text()}}));
  const auto report = scored({(place / "a").string()}, [](ScoreOptions& options) { options.metrics = "clip_score"; });
  EXPECT_EQ(report.sets[0].pictures[0].file.caption, "a big whale, blurry");
  EXPECT_EQ(report.sets[0].pictures[0].file.seed, 7u);
  recipe.inputs[0].name = "sdxl-base";
  write_atomically(place / "a/x.png", encode_png(Image8::filled(64, 64, white), {{names::png_recipe, recipe.to_text()}}));
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { scored({(place / "a").string()}); }), "give --judge FOLDER"));
  EXPECT_NO_THROW(scored({(place / "a").string()}, [](ScoreOptions& options) {
    options.judge = model() / "judge_select", options.metrics = "clip_score";
  }));
}

TEST(Score, KeepsACalibrationOfTheBundledModelWithBothItsJudges) {
  for (const char* name : {"judge", "judge_select"}) {
    const Judge judge = Judge::load(model() / name);
    std::string why;
    const auto calibration =
        find_calibration(judge.folder(), bundled_model_input(test::places()).sha256, judge_input(judge, {}).sha256, why);
    ASSERT_TRUE(calibration.has_value()) << name << ": " << why << "; negativa score --calibrate makes it again";
    EXPECT_EQ(calibration->damages.size(), find_world(judge.folder())->damages.size());
  }
}

TEST(Score, RefusesWhatCannotBeScoredInOneClearLine) {
  TemporaryFolder place;
  write_set(place / "a", false);
  const std::string a = (place / "a").string();
  const auto refused = [&](const std::string& words, const std::function<void(ScoreOptions&)>& set,
                           ErrorKind kind = ErrorKind::input) {
    const auto line = error_of(kind, [&] { scored({a}, set); });
    EXPECT_TRUE(contains(line, words)) << line;
  };
  const auto with_folder = [&](const std::string& folder) {
    return [folder](ScoreOptions& options) { options.folder = {folder}; };
  };
  refused("a folder of pictures is needed", [](ScoreOptions& options) { options.folder.clear(); });
  refused("does not exist", with_folder((place / "none").string()));
  refused("is a file", with_folder((place / "a/0.png").string()));
  fs::create_directory(place / "empty");
  refused("has no pictures", with_folder((place / "empty").string()));
  write_atomically(place / "empty/x.png", encode_png(Image8::filled(64, 64, white)));
  refused("1 of 1 pictures", with_folder((place / "empty").string()));
  write_atomically(place / "empty/metadata.jsonl", R"({"file_name": "x.png", "text": "fox"})"
                                                   "\n"
                                                   R"({"file_name": "y.png", "text": "owl"})"
                                                   "\n");
  refused("names y.png, which is not there", with_folder((place / "empty").string()));
  write_atomically(place / "empty/metadata.jsonl", "{\"file_name\": \"x.png\", \"text\": \"fox\"}\n");
  const auto one_prompt = scored({(place / "empty").string()}, [](ScoreOptions& options) { options.metrics = "clip_score"; });
  EXPECT_FALSE(one_prompt.rows[0].means[0]->inference.has_value());  // one prompt only: a mean without an interval
  EXPECT_FALSE(one_prompt.rows[0].means[0]->why_absent.empty());
  const auto no_change = scored({a, a}, [](ScoreOptions& options) { options.metrics = "clip_score"; });  // all differences zero
  EXPECT_EQ(no_change.rows[0].differences[0]->difference.mean, 0);
  EXPECT_FALSE(no_change.rows[0].differences[0]->wilcoxon->p_value.has_value());
  write_atomically(place / "empty/x.png", read_file(place / "a/0.png").substr(0, 300));
  refused("x.png", with_folder((place / "empty").string()), ErrorKind::file_format);
  write_atomically(place / "empty/x.png", encode_png(Image8::filled(300, 300, white)));
  refused("give --judge FOLDER", with_folder((place / "empty").string()));
  refused("did you mean clip_score", [](ScoreOptions& options) { options.metrics = "clip_scor"; });
  refused("give --reference", [](ScoreOptions& options) { options.metrics = "cmmd"; });
  refused("give a second folder", [](ScoreOptions& options) { options.metrics = "difference"; });
  refused("does not exist", [&](ScoreOptions& options) { options.judge = place / "none"; });
  refused("is a model that draws", [&](ScoreOptions& options) { options.judge = model(); });
  refused("at least two", [&](ScoreOptions& options) { options.reference = place / "empty", options.metrics = "cmmd"; });
  refused(".png", [&](ScoreOptions& options) { options.sheet = place / "sheet.gif"; });
  refused("none", [&](ScoreOptions& options) { options.out = place / "none/m.csv"; });
  fs::copy(model() / "judge", place / "judge");
  fs::remove(place / "judge/world.toml");
  refused("has no world.toml", [&](ScoreOptions& options) { options.judge = place / "judge", options.calibrate = true; });
  const auto general = scored({a}, [&](ScoreOptions& options) { options.judge = place / "judge"; });
  EXPECT_TRUE(contains(general.notes.at(0), "has no world.toml"));
  EXPECT_EQ(general.metrics.size(), 5u);
}

}  // namespace
}  // namespace negativa
