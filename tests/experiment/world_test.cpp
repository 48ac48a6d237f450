#include "experiment/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/temporary_folder.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;

fs::path source() { return NEGATIVA_SOURCE_DIR; }
World bundled_world() { return find_world(source() / "models/emoji-xl/judge").value(); }

constexpr const char* small_world = R"(
objects = ["fox", "owl"]
damages = ["blurry"]
articles = ["a ", "small "]
between = " next to "
background = " on a {} background"
calibration = ["fox"]
[colours]
red = [255, 0, 0]
)";

TEST(World, ReadsWhatACaptionSays) {
  const World world = bundled_world();
  const auto facts = world.facts("a small fox next to red apple on a teal background, blurry, jpeg artifacts");
  EXPECT_EQ(facts.plain, "a small fox next to red apple on a teal background");
  EXPECT_EQ(facts.damages, (std::vector<std::string>{"blurry", "jpeg artifacts"}));
  EXPECT_EQ(facts.objects, (std::vector<std::string>{"fox", "red apple"}));
  EXPECT_EQ(facts.background, (Colour{67, 166, 166}));
  EXPECT_EQ(world.facts("sonk hedgehog on a white background").objects, std::vector<std::string>{"sonk hedgehog"});
  EXPECT_EQ(world.facts("A Big Lion").objects, std::vector<std::string>{"lion"});
  EXPECT_EQ(world.facts("blurry, ugly").plain, "");
  EXPECT_EQ(world.damaged(world.facts("blurry, ugly").plain, "ugly"), "ugly");
  EXPECT_TRUE(world.facts("a photograph of a street").objects.empty());
  EXPECT_FALSE(world.facts("fox").background.has_value());
}

TEST(World, HasCalibrationCaptionsThatNoExperimentNorReferencePictureHas) {
  const World world = bundled_world();
  EXPECT_EQ(world.calibration.size(), 48u);
  EXPECT_EQ(world.objects.size(), 187u);
  EXPECT_EQ(world.damages.size(), 13u);
  std::set<std::string> taken;
  const auto add = [&](const fs::path& file, const char* key) {
    const std::string text = read_file(file);
    for (size_t begin = 0; begin < text.size(); begin = std::min(text.find('\n', begin), text.size()) + 1) {
      const auto line = std::string_view(text).substr(begin, std::min(text.find('\n', begin), text.size()) - begin);
      if (!line.empty()) taken.insert(parse_json(line, file.string()).value(key, ""));
    }
  };
  for (const auto& entry : fs::recursive_directory_iterator(source() / "experiments"))
    if (entry.path().extension() == ".jsonl") add(entry.path(), "prompt");
  for (const char* folder : {"reference", "reference_damaged"})
    add(source() / "models/emoji-xl" / folder / names::metadata_jsonl, "text");
  EXPECT_GT(taken.size(), 900u);
  for (const auto& caption : world.calibration) {
    EXPECT_FALSE(taken.contains(caption)) << caption;
    EXPECT_FALSE(world.facts(caption).objects.empty()) << caption;
    EXPECT_TRUE(world.facts(caption).background.has_value()) << caption;
  }
}

TEST(World, RefusesWhatCannotBeAndNamesTheKey) {
  EXPECT_NO_THROW(World::parse(small_world, "world.toml"));
  const auto without = [](const std::string& from, const std::string& to) {
    return std::string(small_world).replace(std::string(small_world).find(from), from.size(), to);
  };
  const std::pair<std::string, std::string> cases[] = {
      {without("\"fox\", \"owl\"", ""), "objects"},  {without("\"owl\"", "\"fox\""), "fox"},
      {without("{}", "red"), "background"},          {without("255", "256"), "colours.red"},
      {without("\" next to \"", "\"\""), "between"}, {without("red = [255, 0, 0]", ""), "colours"},
      {without("[\"blurry\"]", "3"), "damages"}};
  for (const auto& [text, key] : cases)
    EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { World::parse(text, "world.toml"); }), key)) << key;
  EXPECT_TRUE(contains(error_of(ErrorKind::missing_key, [&] { World::parse(without("calibration", "other"), "world.toml"); }),
                       "calibration"));
  EXPECT_FALSE(find_world(source()).has_value());
}

}  // namespace
}  // namespace negativa
