// --prompts: a set of pictures is made once, and only what is missing is made again.
#include <sys/stat.h>

#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

const Workplace::Arguments make_set = {"generate", "-q", "--json", "--prompts", "p.jsonl", "--steps", "2", "-o", "set"};

std::string made_and_kept(const Workplace& place, Workplace::Arguments more = {}) {
  auto args = make_set;
  args.insert(args.end(), more.begin(), more.end());
  const Json report = parse_json(place.results(args), "report");
  return report["made"].dump() + " " + report["kept"].dump();
}

std::pair<int64_t, int64_t> state(const std::filesystem::path& file) {  // renaming a new file into place changes the inode
  struct stat found {};
  ::stat(file.c_str(), &found);
  return {static_cast<int64_t>(found.st_ino), found.st_mtim.tv_nsec};
}

}  // namespace

TEST(PromptSet, MakesOnlyWhatIsMissing) {
  const Workplace place;
  place.write("p.jsonl",
              "{\"prompt\": \"a big lion\", \"seed\": 3}\n\n{\"prompt\": \"owl, blurry\", \"cfg_scale\": 8, \"seed\": 4}\n");
  EXPECT_EQ(made_and_kept(place), "2 0");
  EXPECT_EQ(place.files(), (std::vector<std::string>{"p.jsonl", "set", "set/0000.png", "set/0001.png", "set/metadata.jsonl"}));
  const auto first = state(place / "set/0000.png");
  const std::string second = place.read("set/0001.png");
  EXPECT_EQ(made_and_kept(place), "0 2");
  EXPECT_EQ(state(place / "set/0000.png"), first);
  std::filesystem::remove(place / "set/0001.png");
  EXPECT_EQ(made_and_kept(place), "1 1");
  EXPECT_EQ(state(place / "set/0000.png"), first);
  EXPECT_EQ(place.read("set/0001.png"), second);
  place.write("set/0001.png", "no picture");
  EXPECT_EQ(made_and_kept(place), "1 1");
  EXPECT_EQ(place.read("set/0001.png"), second);
  EXPECT_EQ(made_and_kept(place, {"--sampler", "dpmpp_2m"}), "2 0");
}

TEST(PromptSet, KeepsPicturesWhoseRecipesSayAuto) {  // as those of earlier versions do
  const Workplace place;
  place.write("p.jsonl", "{\"prompt\": \"a big lion\", \"seed\": 3}\n");
  EXPECT_EQ(made_and_kept(place), "1 0");
  Json recipe = parse_json(text_chunk(place / "set/0000.png", "negativa"), "recipe");
  recipe["settings"]["weights_dtype"] = "auto";
  write_atomically(place / "set/0000.png", encode_png(picture(place / "set/0000.png"), {{"negativa", canonical_json(recipe)}}));
  EXPECT_EQ(made_and_kept(place), "0 1");
}

TEST(PromptSet, OrderOfLinesDoesNotChangePictures) {
  const Workplace place;
  const std::string lion = "{\"prompt\": \"a big lion\", \"seed\": 3}\n",
                    owl = "{\"prompt\": \"owl\", \"seed\": 4, \"steps\": 1}\n";
  place.write("p.jsonl", lion + owl);
  made_and_kept(place);
  place.write("p.jsonl", owl + lion);
  made_and_kept(place, {"-o", "reversed"});
  EXPECT_EQ(place.read("set/0000.png"), place.read("reversed/0001.png"));
  EXPECT_EQ(place.read("set/0001.png"), place.read("reversed/0000.png"));
  place.results({"generate", "-q", "-p", "a big lion", "-s", "3", "--steps", "2", "-o", "alone.png"});
  EXPECT_EQ(place.read("set/0000.png"), place.read("alone.png"));
}

TEST(PromptSet, MetadataMakesTheFolderATrainingSet) {
  const Workplace place;
  place.write("p.jsonl", "{\"prompt\": \"(blurry)++++\", \"cfg_scale\": 8, \"seed\": 3}\n");
  made_and_kept(place, {"--batch-count", "2"});
  const auto lines = lines_of(place.read("set/metadata.jsonl"));
  ASSERT_EQ(lines.size(), 2u);
  const Json line = parse_json(lines[1], "metadata");
  EXPECT_EQ(line["file_name"], "0001.png");
  EXPECT_EQ(line["text"], "(blurry)++++");
  EXPECT_EQ(line["cfg_scale"], 8);
  EXPECT_EQ(line["seed"], 4);
  EXPECT_EQ(line["steps"], 2);
}

TEST(PromptSet, ADrawnSeedHoldsForLaterRuns) {
  const Workplace place;
  place.write("p.jsonl", "{\"prompt\": \"a big lion\"}\n{\"prompt\": \"owl\"}\n");
  EXPECT_EQ(made_and_kept(place, {"--batch-count", "2"}), "4 0");
  const std::string first = place.read("set/0000.png");
  std::filesystem::remove(place / "set/0000.png");
  EXPECT_EQ(made_and_kept(place, {"--batch-count", "2"}), "1 3");
  EXPECT_EQ(place.read("set/0000.png"), first);
}

TEST(PromptSet, ALineGuidesItsNegativePromptApart) {
  const Workplace place;
  place.write("p.jsonl",
              "{\"prompt\": \"owl\", \"seed\": 3}\n{\"prompt\": \"owl\", \"seed\": 3, \"negative_scale\": 1.5, "
              "\"negative_interval\": \"0:0.5\"}\n");
  EXPECT_EQ(made_and_kept(place, {"-n", "blurry"}), "2 0");
  const auto settings = [&](const char* file) { return parse_json(text_chunk(place / file, "negativa"), file)["settings"]; };
  EXPECT_EQ(settings("set/0001.png")["negative_scale"], 1.5);
  EXPECT_EQ(settings("set/0001.png")["negative_interval"], "0:0.5");
  EXPECT_FALSE(settings("set/0000.png").contains("negative_interval"));
  const auto lines = lines_of(place.read("set/metadata.jsonl"));
  EXPECT_FALSE(contains(lines[0], "negative_interval"));
  EXPECT_EQ(parse_json(lines[1], "metadata")["negative_scale"], 1.5);
  EXPECT_FALSE(picture(place / "set/0000.png").rgb == picture(place / "set/0001.png").rgb);
  EXPECT_EQ(made_and_kept(place, {"-n", "blurry"}), "0 2");
}

TEST(PromptSet, LinesRankOverFlags) {
  const Workplace place;
  place.write("p.jsonl", "{\"seed\": 3, \"steps\": 1}\n");
  made_and_kept(place, {"-p", "owl", "-s", "9", "-o", "set/a.png"});
  const Json recipe = parse_json(text_chunk(place / "set/a-0000.png", "negativa"), "recipe");
  EXPECT_EQ(recipe["settings"]["prompt"], "owl");
  EXPECT_EQ(recipe["settings"]["steps"], 1);
  EXPECT_EQ(recipe["seed"], 3);
}

}  // namespace negativa::test
