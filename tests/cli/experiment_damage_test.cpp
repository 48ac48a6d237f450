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
    const Ran status = place.run({"experiment", "status", "run"});
    EXPECT_NE(status.out.find(fs::path(file).filename()), std::string::npos) << file << "\n" << status.out;
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

TEST_F(Damage, OfACellIsNamedAndTheCellMadeAgain) {
  const std::string picture = first("pictures", ".png");
  const std::string bytes = place.read(picture), record = place.read(first("pictures", ".json"));

  place.write(picture, bytes.substr(0, bytes.size() / 2));  // cut short
  expect_mended(picture, 1);
  std::string other = bytes;
  other[other.size() / 2] ^= 1;  // one bit
  place.write(picture, other);
  expect_mended(picture, 1);
  fs::remove(place / picture);  // the file without its record, a state between two of a write
  place.write(picture, "");
  expect_mended(picture, 1);
  const std::string metrics = first("metrics", ".json");
  place.write(metrics, "{\"address\": ");
  expect_mended(metrics, 1);
  place.write(first("pictures", ".json"), "[]");
  expect_mended(first("pictures", ".json"), 1);
  EXPECT_EQ(place.read(picture), bytes);
  EXPECT_FALSE(record.empty());
}

TEST_F(Damage, OfALoraIsMendedWithoutTouchingPicturesThatAreWhole) {
  const std::string lora = first("lora", ".safetensors");
  const std::string bytes = place.read(lora);
  place.write(lora, bytes.substr(0, bytes.size() - 4));
  expect_mended(lora, 1);
  place.write(first("lora", ".json"), place.read(first("pictures", ".json")));  // a record of something else
  expect_mended(first("lora", ".json"), 1);
}

TEST_F(Damage, OfThePlanOrAFolderThatIsNoRunIsRefused) {
  const std::string plan = place.read("run/plan.json");
  place.write("run/plan.json", plan.substr(0, plan.size() / 2));
  expect_refused("plan.json");
  place.write("run/plan.json", "{}");
  expect_refused("plan.json");
  reset();
  fs::remove(place / "run/plan.json");
  expect_refused("run");
  reset();
  place.write("x.toml", std::string(toml) + "\n[arms.lamp]\nnegative_prompt = \"lamp\"\n");
  expect_refused("arms.lamp");
  place.write("x.toml", std::string(toml) + "\n# a comment is no difference\n");
  const Ran ran = run_again();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(made(ran), 0);
}

TEST_F(Damage, OfTwoRunsMixedIsFoundByTheAddresses) {
  place.write("y.toml", std::string(toml).replace(std::string(toml).find("seed = 3"), 8, "seed = 4"));
  place.results({"experiment", "run", "y.toml", "-q", "-o", "other"});
  for (const auto& entry : fs::recursive_directory_iterator(place / "other")) {
    const fs::path target = place / "run" / fs::relative(entry.path(), place / "other");
    if (entry.is_directory())
      fs::create_directories(target);
    else if (entry.path().extension() != ".toml" && entry.path().filename() != "plan.json")
      fs::copy_file(entry.path(), target, fs::copy_options::skip_existing);
  }
  const Ran status = place.run({"experiment", "status", "run"});
  EXPECT_NE(status.out.find("of earlier plans"), std::string::npos) << status.out;
  const Ran ran = run_again();
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(made(ran), 0);
  EXPECT_EQ(place.run({"experiment", "diff", "whole", "run"}).exit_code, 0);
  EXPECT_EQ(place.run({"experiment", "diff", "run", "other"}).exit_code, 1);
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
