// experiments/wrong: the wrong pictures a LoRA learns from, and the prompts it is tried on.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

const std::vector<std::string> keywords = {
    "low quality", "bad hands",      "random text", "error",     "missing or extra fingers",
    "cropped",     "jpeg artifacts", "signature",   "watermark", "blurry",
    "ugly",        "duplicate",      "mutilated"};

std::string with_weight_on(const std::string& chosen) {
  std::string prompt;
  for (const auto& word : keywords) prompt += (prompt.empty() ? "" : ", ") + (word == chosen ? "(" + word + ")++++" : word);
  return prompt;
}

const std::filesystem::path experiment = std::filesystem::path(NEGATIVA_SOURCE_DIR) / "experiments/wrong";

std::vector<Json> requests(const std::string& name) {
  std::vector<Json> result;
  for (const auto& line : lines_of(read_file(experiment / name))) result.push_back(parse_json(line, name));
  return result;
}

}  // namespace

TEST(WrongExperiment, DrawsEveryKeywordAtEveryGuidanceScaleWithASeedOfItsOwn) {
  std::map<std::string, std::set<int>> scales;
  std::set<int> seeds;
  for (const auto& request : requests("prompts.jsonl")) {
    EXPECT_EQ(request.size(), 3u);
    scales[request.at("prompt")].insert(request.at("cfg_scale").get<int>());
    seeds.insert(request.at("seed").get<int>());
  }
  EXPECT_EQ(scales.size(), 13u);
  EXPECT_EQ(seeds.size(), 78u);
  for (const auto& word : keywords) EXPECT_EQ(scales[with_weight_on(word)], (std::set<int>{3, 4, 5, 6, 7, 8})) << word;
  const Json plan = parse_json(
      Workplace().results({"generate", "--dry-run", "--json", "--prompts", (experiment / "prompts.jsonl").string(), "-o", "w/"}),
      "plan");
  EXPECT_EQ(plan["pictures"], 78);
}

TEST(WrongExperiment, ComparesOnPromptsThatNameNoKeyword) {
  const auto compared = requests("compare.jsonl");
  EXPECT_EQ(compared.size(), 6u);
  for (const auto& request : compared)
    for (const auto& word : keywords) EXPECT_EQ(request.at("prompt").get<std::string>().find(word), std::string::npos) << request;
}

TEST(Compare, PromptsFileGivesARowALineAndSeed) {
  const Workplace place;
  place.write("p.jsonl", "{\"prompt\": \"a big lion\", \"seed\": 3}\n{\"prompt\": \"owl\", \"cfg_scale\": 3}\n");
  const std::string lora = golden("lora_kohya.safetensors").string() + ":0.1";
  const Json report = parse_json(place.results({"compare", "-q", "--json", "--prompts", "p.jsonl", "--seeds", "2", "--steps", "1",
                                                "--lora", lora, "-o", "sheet.png"}),
                                 "report");
  EXPECT_EQ(report["prompts"], Json({"a big lion", "a big lion", "owl", "owl"}));
  EXPECT_EQ(report["seeds"], Json({3, 4, 0, 1}));
  EXPECT_EQ(report["arms"].size(), 4u);
  EXPECT_GT(picture(place / "sheet.png").height, 4 * 64);
}

TEST(Compare, GuidesTheWordApartInTheArmsThatHaveIt) {
  const Workplace place;
  const std::string lora = golden("lora_kohya.safetensors").string() + ":0.1";
  const auto sheet = [&](const char* file, const Workplace::Arguments& more) {
    Workplace::Arguments args{"compare", "-p", "owl", "--seeds", "1", "--steps", "2", "--lora", lora, "-o", file};
    args.insert(args.end(), more.begin(), more.end());
    const Ran ran = place.run(args);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_FALSE(contains(ran.err, "has no effect")) << ran.err;
    return picture(place / file);
  };
  const Image8 cfg = sheet("cfg.png", {}), apart = sheet("apart.png", {"--negative-scale", "1", "--negative-interval", "0:0.5"});
  EXPECT_FALSE(cfg.rgb == apart.rgb);
  EXPECT_TRUE(contains(text_chunk(place / "apart.png", "Description"), ", negative scale 1, "));
}

TEST(Compare, PromptsFileWithLorasOnSomeLinesIsRefused) {
  const Workplace place;
  place.write("p.jsonl", "{\"prompt\": \"owl\"}\n{\"prompt\": \"a big lion\", \"lora\": [\"" +
                             golden("lora_kohya.safetensors").string() + "\"]}\n");
  const Ran ran = place.run({"compare", "-q", "--prompts", "p.jsonl", "--steps", "1", "-o", "sheet.png"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_NE(ran.err.find("give --lora for all"), std::string::npos) << ran.err;
  EXPECT_EQ(place.files(), (std::vector<std::string>{"p.jsonl"}));
}

}  // namespace negativa::test
