#include "lora/lora_spec.h"

#include <gtest/gtest.h>

#include <fstream>

#include "small_lora.h"

namespace negativa {

using test::message_of;

namespace {
void expect_spec(const std::string& text, const std::string& path, double weight, LoraBranch branch) {
  const auto spec = parse_lora_spec(text);
  EXPECT_EQ(spec.path, path) << text;
  EXPECT_EQ(spec.weight, weight) << text;
  EXPECT_EQ(spec.branch, branch) << text;
}
}  // namespace

TEST(LoraSpec, IsSplitFromTheRight) {
  expect_spec("a.safetensors", "a.safetensors", 1, LoraBranch::both);
  expect_spec("a.safetensors:0.7", "a.safetensors", 0.7, LoraBranch::both);
  expect_spec("a.safetensors:-1:negative", "a.safetensors", -1, LoraBranch::negative);
  expect_spec("a.safetensors:+2:positive", "a.safetensors", 2, LoraBranch::positive);
  expect_spec("dir:1/a.safetensors:0.5:both", "dir:1/a.safetensors", 0.5, LoraBranch::both);
  expect_spec("a:b.safetensors", "a:b.safetensors", 1, LoraBranch::both);
}

TEST(LoraSpec, AnExistingFileOfTheWholeNameWins) {
  const test::ScratchFolder folder;
  const auto odd = (folder / "wrong:0.5:negative").string();
  expect_spec(odd, odd.substr(0, odd.size() - 13), 0.5, LoraBranch::negative);
  std::ofstream(odd) << "x";
  expect_spec(odd, odd, 1, LoraBranch::both);
  expect_spec(odd + ":2:positive", odd, 2, LoraBranch::positive);
}

TEST(LoraSpec, RefusesWhatItCannotMean) {
  const test::ScratchFolder folder;
  const auto file = (folder / "a.safetensors").string();
  std::ofstream(file) << "x";
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":strong"); }).find("expected a number"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":nan"); }).find("finite"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":inf:both"); }).find("finite"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":negative"); }).find(":1:negative"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":1:left"); }).find("expected both, negative or positive"),
            std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(""); }), "");
  EXPECT_NE(message_of([&] { parse_lora_spec(":0.5"); }), "");
}

}  // namespace negativa
