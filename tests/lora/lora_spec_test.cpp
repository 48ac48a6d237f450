#include "lora/lora_spec.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
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

TEST(LoraSpec, AWeightCanBeOneOfEachPart) {
  const auto expect_parts = [](const std::string& text, double unet, double of_text, LoraBranch branch, const char* written) {
    const auto spec = parse_lora_spec(text);
    EXPECT_EQ(spec.path, "a.safetensors") << text;
    EXPECT_EQ(spec.weight.unet, unet) << text;
    EXPECT_EQ(spec.weight.text, of_text) << text;
    EXPECT_EQ(spec.branch, branch) << text;
    EXPECT_EQ(spec.weight.text_of(), written);
    EXPECT_EQ(parse_lora_spec("a.safetensors:" + spec.weight.text_of()).weight, spec.weight) << text;
  };
  expect_parts("a.safetensors:unet=0.8,text=0.2", 0.8, 0.2, LoraBranch::both, "unet=0.8,text=0.2");
  expect_parts("a.safetensors:text=-1:negative", 1, -1, LoraBranch::negative, "unet=1,text=-1");
  expect_parts("a.safetensors:text=0,unet=+2:positive", 2, 0, LoraBranch::positive, "unet=2,text=0");
  expect_parts("a.safetensors:unet=0.8,text=0.8", 0.8, 0.8, LoraBranch::both, "0.8");
  EXPECT_EQ(json_of(parse_lora_spec("a.safetensors:0.8").weight).dump(), "0.8");
  EXPECT_EQ(json_of(parse_lora_spec("a.safetensors:text=0").weight).dump(), R"({"text":0.0,"unet":1.0})");
  EXPECT_EQ(parse_weighted_lora("a.safetensors:unet=0.5", "lora merge").weight.unet, 0.5);
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
  for (const char* weight : {"unet=", "unet=strong", "unet=1,", "unet=1,vae=2", "text=1,,unet=1", "unet=0.5 ,text=1"})
    EXPECT_NE(message_of([&] { parse_lora_spec(file + ":" + weight); }).find("unet=NUMBER,text=NUMBER"), std::string::npos)
        << weight;
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":unet=1,unet=2"); }).find("names unet twice"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(file + ":text=nan:both"); }).find("finite"), std::string::npos);
  EXPECT_NE(message_of([&] { parse_lora_spec(""); }), "");
  EXPECT_NE(message_of([&] { parse_lora_spec(":0.5"); }), "");
}

}  // namespace negativa
