// What was typed and does nothing, or is read in another sense than its writer meant, is one line on stderr; the picture is drawn
// all the same.
#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

int lines_with(const std::string& text, const std::string& part) {
  const auto lines = lines_of(text);
  return static_cast<int>(
      std::count_if(lines.begin(), lines.end(), [&](const std::string& line) { return contains(line, part); }));
}

}  // namespace

TEST(Notices, NameTheWebuisSyntaxOnceWhereverATextIsRead) {
  const Workplace place;
  place.write("p.jsonl",
              "{\"prompt\": \"(red hair:1.3), lion\"}\n{\"prompt\": \"lion\", \"negative_prompt\": "
              "\"embedding:bad\"}\n{\"prompt\": \"lion\", \"prompt_2\": \"a <lora:n:0.8>\"}\n"
              "{\"prompt\": \"lion\", \"negative_prompt\": \"\", \"negative_prompt_2\": \"[blurry]\"}\n");
  for (const char* verb : {"generate", "compare"}) {
    const auto err = place.run({verb, "--prompts", "p.jsonl", "-o", verb[0] == 'g' ? "set" : "s.png", "--dry-run"}).err;
    EXPECT_EQ(lines_with(err, "webui's syntax"), 1) << err;
    for (const char* part : {"\"(red hair:1.3)\"", "\"embedding:bad\"", "\"<lora:n:0.8>\"", "\"[blurry]\""})
      EXPECT_TRUE(contains(err, part)) << err;
  }
  EXPECT_TRUE(contains(place.run({"tokens", "-p", "a cat BREAK a dog"}).err, "\"BREAK\""));
  write_atomically(place / "a.png", encode_png(Image8::filled(64, 64, white)));
  place.write("a.txt", "a [blurry] cat");
  const auto err =
      place.run({"train", "lora", "--data", ".", "--captions", "--prompt", "wrong", "-o", "x.safetensors", "--dry-run"}).err;
  EXPECT_EQ(lines_with(err, "these are plain words: \"[blurry]\""), 1) << err;
  EXPECT_EQ(lines_with(err, "--prompt has no effect: with --captions each picture has its own"), 1) << err;
}

TEST(Notices, SayWhatHasNoEffect) {
  const Workplace place;
  auto err = place.run({"generate", "-p", "lion", "-n", "", "--cfg-scale", "1", "--json", "--show", "--dry-run"}).err;
  EXPECT_EQ(lines_with(err, "--negative-prompt has no effect: there is no guidance"), 1) << err;
  EXPECT_EQ(lines_with(err, "--show has no effect"), 1) << err;
  err = place
            .run({"compare", "-p", "lion", "--lora", golden("lora_kohya.safetensors").string() + ":1:negative", "--seeds", "2",
                  "--dry-run"})
            .err;
  EXPECT_EQ(lines_with(err, ": its branch has no effect"), 1) << err;
}

}  // namespace negativa::test
