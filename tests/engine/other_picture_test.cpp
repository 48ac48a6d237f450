#include "engine/other_picture.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace negativa {

namespace {

OtherPicture read(const std::string& infotext) {
  return *other_picture({{"parameters", infotext}}, [](const std::string& name) { return name == "a:b"; });
}

Json settings_of(const OtherPicture& picture) { return parse_json(picture.settings_json, "test"); }

bool names(const OtherPicture& picture, const std::string& begin) {
  return std::any_of(picture.not_honoured.begin(), picture.not_honoured.end(),
                     [&](const std::string& line) { return line.starts_with(begin); });
}

}  // namespace

TEST(OtherPictures, GiveOptionsOfGenerate) {
  const auto picture = read(
      "a (red:1.2) fox <lora:ink:0.6><lora:a:b:0.5:0.25>\nNegative prompt: [ugly], <lora:wrong:1> bad\nSteps: 28, Sampler: DPM++ "
      "2M, "
      "Schedule type: Karras, CFG scale: 6.5, Seed: 18446744073709551615, Size: 832x1216, Model: sdxl, RNG: CPU, Version: "
      "v1.10.1");
  EXPECT_EQ(settings_of(picture), Json({{"prompt", "a (red)1.2 fox"},
                                        {"negative_prompt", "(ugly)0.909091,  bad"},
                                        {"pooled", "clean"},
                                        {"steps", 28},
                                        {"cfg_scale", 6.5},
                                        {"seed", 18446744073709551615u},
                                        {"width", 832},
                                        {"height", 1216},
                                        {"sampler", "dpmpp_2m"},
                                        {"schedule", "karras"}}));
  ASSERT_EQ(picture.loras.size(), 3u);
  EXPECT_EQ(picture.loras[0].name + picture.loras[0].rest, "ink:0.6");
  EXPECT_EQ(picture.loras[1].name + picture.loras[1].rest, "a:b:unet=0.25,text=0.5");
  EXPECT_EQ(picture.loras[2].name + picture.loras[2].rest, "wrong:1:negative");
  EXPECT_EQ(picture.model, "sdxl");
  EXPECT_TRUE(picture.has_prompt);
}

TEST(OtherPictures, TakeTheScheduleThatTheirProgramMeant) {
  struct Case {
    const char *sampler, *schedule;
  };
  for (const auto& [text, sampler, schedule] : std::initializer_list<std::tuple<const char*, const char*, const char*>>{
           {"Sampler: DPM++ 2M, Schedule type: Automatic", "dpmpp_2m", "karras"},
           {"Sampler: Euler a, Schedule type: Automatic", "euler_ancestral", "linspace"},
           {"Sampler: DPM++ 2M Karras", "dpmpp_2m", "karras"},
           {"Sampler: DPM++ 2M", "dpmpp_2m", "linspace"},
           {"Sampler: Euler, Schedule type: SGM Uniform", "euler", "trailing"},
           {"Sampler: Heun, Schedule type: Beta", "heun", ""},
           {"Sampler: UniPC, Schedule type: Karras", "", "karras"},
           {"Sampler: DPM++ 2M SDE Karras", "", ""}}) {
    const auto picture = read("x\nSteps: 2, " + std::string(text) + ", Seed: 1");
    const Json settings = settings_of(picture);
    EXPECT_EQ(settings.value("sampler", ""), sampler) << text;
    EXPECT_EQ(settings.value("schedule", ""), schedule) << text;
    EXPECT_EQ(names(picture, "sampler: "), !*sampler) << text;
    EXPECT_EQ(names(picture, "scheduler: "), !*schedule && *sampler) << text;
  }
  const Json comfy = Json::parse(R"({"3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 2, "cfg": 1, "sampler_name":
    "euler", "scheduler": "simple", "model": ["4", 0], "positive": ["6", 0], "negative": ["6", 0], "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}}, "5": {"class_type":
    "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 1}}, "6": {"class_type": "CLIPTextEncode", "inputs":
    {"text": "(a:1.1) embedding:bad", "clip": ["4", 1]}}, "8": {"class_type": "SaveImage", "inputs": {"images": ["7", 0]}}, "7":
    {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}}})");
  const auto picture = *other_picture({{"prompt", comfy.dump()}}, [](const std::string&) { return false; });
  EXPECT_EQ(settings_of(picture).value("schedule", ""), "trailing");
  EXPECT_EQ(settings_of(picture).value("pooled_row", ""), "end");
  EXPECT_EQ(picture.embeddings, std::vector<std::string>{"bad"});
  EXPECT_TRUE(names(picture, "scheduler: simple"));
}

TEST(OtherPictures, NameValuesThatNoSettingTakes) {
  const auto picture =
      read("x\nSteps: 5000, Sampler: Euler, CFG scale: nan, Seed: -1, Size: 4x99999999999, Refiner switch at: 2");
  for (const char* name : {"steps: 5000", "cfg_scale: nan", "seed: -1", "width: 4", "height: 99999999999", "refiner_start: 2"})
    EXPECT_TRUE(names(picture, name)) << name;
  EXPECT_EQ(settings_of(picture), Json({{"prompt", "x"}, {"sampler", "euler"}, {"schedule", "linspace"}}));
}

TEST(OtherPictures, WhosePromptCannotBeWeightedHereAreUnweighted) {
  const auto picture = read("(a\"b=:1.2) c++\nSteps: 2, Sampler: Euler, Seed: 1");
  const Json settings = settings_of(picture);
  if (settings.value("weighting", "") == "none") {
    EXPECT_EQ(settings["prompt"], "a\"b= c++");
    EXPECT_TRUE(names(picture, "prompt: "));
  }
  EXPECT_EQ(settings.value("weighting", ""), "none");
}

}  // namespace negativa
