// `negativa score`: what is printed of two folders.
#include "base/files.h"
#include "program.h"

namespace negativa::test {

TEST(ScoreVerb, PrintsMeansAndDifferencesAsTextAndAsJson) {
  const Workplace place;
  for (const char* folder : {"a", "b"}) {
    std::filesystem::create_directory(place / folder);
    std::string lines;
    for (int i = 0; i < 5; ++i) {
      const std::string name = "00" + std::to_string(i) + ".png";
      Image8 image = picture(bundled("reference") / name);
      if (folder[0] == 'b')
        for (auto& byte : image.rgb) byte = static_cast<uint8_t>(byte / 2);
      write_atomically(place / folder / name, encode_png(image));
      lines += Json({{"file_name", name}, {"text", "fox " + std::to_string(i)}, {"seed", i}}).dump() + "\n";
    }
    place.write(std::string(folder) + "/metadata.jsonl", lines);
  }
  const auto text = lines_of(place.results({"score", "a", "b", "--metrics", "clip_score,damage,difference"}));
  EXPECT_TRUE(contains(text.at(0), "b: 5 prompts, 5 pairs of pictures, paired by prompt and seed")) << text.at(0);
  const auto has = [&](const std::string& part) {
    return std::any_of(text.begin(), text.end(), [&](const auto& line) { return contains(line, part); });
  };
  for (const char* part :
       {"a: 5 pictures, judge judge", "b - a", "clip_score", "for these sets, on prompts like these", "Wilcoxon", "80 % power"})
    EXPECT_TRUE(has(part)) << part;
  const Json json =
      parse_json(place.results({"score", "-q", "--json", "a", "b", "--metrics", "clip_score,damage,difference"}), "report");
  EXPECT_EQ(json["sets"][1]["pictures"].size(), 5u);
  EXPECT_TRUE(json["sets"][1]["metrics"]["damage"]["difference"]["interval"].is_array());
  EXPECT_TRUE(json["sets"][1]["pictures"][0]["values"]["difference"].is_number());
  const Ran wrong = place.run({"score", "nowhere"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(lines_of(wrong.err).size(), 1u);
}

}  // namespace negativa::test
