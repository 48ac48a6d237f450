// Run folders that something happened to: each kind is told in one line, and harms no other cell.
#include <algorithm>

#include "base/files.h"
#include "program.h"

namespace negativa::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* toml = R"(
seed = 3
[default]
steps = 1
[prompts]
test = [
  { prompt = "frog on a teal background", group = "animals" },
  { prompt = "pizza on a red background", group = "food" },
]
[sets.wrong]
keywords = ["blurry"]
caption = "wrong"
pictures = 2
[loras.wrong]
set = "wrong"
steps = 1
rank = 1
[arms.nothing]
[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]
)";

class Damage : public ::testing::Test {
 protected:
  Damage() {
    place.write("x.toml", toml);
    place.results({"experiment", "run", "x.toml", "-q", "-o", "whole"});
    reset();
  }
  void reset() {
    fs::remove_all(place / "run");
    fs::copy(place / "whole", place / "run", fs::copy_options::recursive);
  }
  Ran run_again() const { return place.run({"experiment", "run", "x.toml", "--json", "-o", "run"}); }
  // The first file of a folder with that ending, by name.
  std::string first(const std::string& folder, const std::string& ending) const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(place / ("run/" + folder)))
      if (entry.path().string().ends_with(ending)) names.push_back("run/" + folder + "/" + entry.path().filename().string());
    return names.empty() ? "" : *std::min_element(names.begin(), names.end());
  }
  int64_t made(const Ran& ran) const {
    int64_t count = 0;
    const Json report = parse_json(ran.out, "report");
    for (const auto& stage : report.at("stages")) count += stage.at("made").get<int64_t>();
    return count;
  }
  // The file is named in one line, the run mended, and so many cells made for it.
  void expect_mended(const std::string& file, int64_t cells) const {
    const Ran ran = run_again();
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_NE(ran.err.find(fs::path(file).filename()), std::string::npos) << ran.err;
    EXPECT_EQ(made(ran), cells) << file << "\n" << ran.err;
    const Ran compared = place.run({"experiment", "diff", "whole", "run"});
    EXPECT_EQ(compared.exit_code, 0) << compared.out << compared.err;
  }
  // One line, exit code 2, and the folder as it was.
  void expect_refused(const std::string& words) const {
    const auto before = place.files();
    const Ran ran = run_again();
    EXPECT_EQ(ran.exit_code, 2) << words;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_NE(ran.err.find(words), std::string::npos) << ran.err;
    EXPECT_EQ(place.files(), before);
  }

  Workplace place;
};

}  // namespace

TEST_F(Damage, OfACellIsNamedAndThatCellAloneMadeAgain) {
  const std::string picture = first("pictures", ".png"), metrics = first("metrics", ".json"),
                    lora = first("lora", ".safetensors");
  const std::string bytes = place.read(picture), lora_bytes = place.read(lora), record = place.read(first("pictures", ".json"));
  std::string changed = bytes;
  changed[changed.size() / 2] ^= 1;

  place.write(picture, bytes.substr(0, bytes.size() / 2));
  const Ran differs = place.run({"experiment", "diff", "whole", "run"});
  EXPECT_EQ(differs.exit_code, 1);
  EXPECT_NE(differs.out.find(fs::path(picture).filename()), std::string::npos) << differs.out;
  EXPECT_NE(place.results({"experiment", "status", "run"}).find(fs::path(picture).filename()), std::string::npos);
  expect_mended(picture, 1);
  place.write(picture, changed);
  expect_mended(picture, 1);
  place.write(metrics, "{\"address\": ");
  expect_mended(metrics, 1);
  place.write(first("pictures", ".json"), "[]");
  expect_mended(first("pictures", ".json"), 1);
  place.write(lora, lora_bytes.substr(0, lora_bytes.size() - 4));
  place.write(first("lora", ".json"), record);  // of something else
  expect_mended(first("lora", ".json"), 1);
}

TEST_F(Damage, OfThePlanIsRefusedAndOtherRunsFilesAreLeftAlone) {
  const std::string plan = place.read("run/plan.json");
  place.write("run/plan.json", plan.substr(0, plan.size() / 2));
  expect_refused("plan.json");
  fs::remove(place / "run/plan.json");
  expect_refused("run");
  place.write("run/plan.json", plan);
  place.write("x.toml", std::string(toml) + "\n[arms.lamp]\nnegative_prompt = \"lamp\"\n");
  expect_refused("arms.lamp");

  // Two runs' folders mixed; and a comment is no difference.
  fs::copy(place / first("pictures", ".png"), place / "run/pictures/of-another-run-00000000.png");
  place.write("x.toml", std::string(toml) + "\n# a comment\n");
  EXPECT_NE(place.run({"experiment", "status", "run"}).out.find("of-another-run"), std::string::npos);
  const Ran ran = run_again();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(made(ran), 0);
  EXPECT_EQ(place.run({"experiment", "diff", "whole", "run"}).exit_code, 0);
}

TEST_F(Damage, AFullDiskStopsTheRunAndTheNextStartGoesOn) {
  fs::remove_all(place / "run");
  place.largest_file_bytes = 4000;  // a picture is more
  const Ran full = run_again();
  EXPECT_NE(full.exit_code, 0);
  EXPECT_EQ(lines_of(full.err).size(), 1u) << full.err;
  place.largest_file_bytes = 0;
  const Ran ran = run_again();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(place.run({"experiment", "diff", "whole", "run"}).exit_code, 0);
}

}  // namespace negativa::test
