// What clients of the webui's API write, as the studio reads it.
#include "sdapi_names.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/json.h"
#include "sdapi_fields.h"
#include "sdapi_png_info.h"

namespace negativa::studio {

namespace {

std::string refusal_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

SdItem item(const std::string& name, const std::string& reference) {
  SdItem made{name, {}};
  made.file.reference = reference;
  return made;
}

std::vector<SdItem> loras() {
  return {item("wrong", "lora/wrong.safetensors"), item("a:b", "lora/a:b.safetensors"),
          item("x/y.safetensors", "x/y.safetensors")};
}

struct Taken {
  std::string prompt;
  std::vector<std::string> loras;
  bool operator==(const Taken&) const = default;
};

Taken taken_from(std::string prompt) {
  const auto tags = take_lora_tags(prompt, loras(), "");
  return {prompt, tags};
}

}  // namespace

TEST(SdSamplers, AreSplitFromTheirSchedules) {
  struct Case {
    const char *sampler, *scheduler;
    std::optional<std::string> expected_sampler, expected_schedule;
  };
  const Case cases[] = {{"DPM++ 2M Karras", "", "dpmpp_2m", "karras"},
                        {"DPM++ 2M Karras", "Automatic", "dpmpp_2m", "karras"},
                        {"DPM++ 2M Karras", "karras", "dpmpp_2m", "karras"},
                        {"dpm++ 2m karras", "", "dpmpp_2m", "karras"},
                        {"DPM++ 2M", "Exponential", "dpmpp_2m", "exponential"},
                        {"k_dpmpp_2m_ka", "", "dpmpp_2m", "karras"},
                        {"k_dpmpp_2m", "", "dpmpp_2m", {}},
                        {"Euler a", "", "euler_ancestral", {}},
                        {"Euler a Karras", "", "euler_ancestral", "karras"},
                        {"k_euler_a", "", "euler_ancestral", {}},
                        {"k_euler", "", "euler", {}},
                        {"Euler", "SGM Uniform", "euler", "trailing"},
                        {"Euler SGM Uniform", "", "euler", "trailing"},
                        {"heun", "sgm_uniform", "heun", "trailing"},
                        {"Heun", "leading", "heun", "leading"},
                        {"", "", {}, {}},
                        {"", "DDIM", {}, "leading"}};
  for (const auto& each : cases) {
    const SamplerChoice got = sd_sampler(each.sampler, each.scheduler);
    EXPECT_EQ(got.sampler, each.expected_sampler) << each.sampler << " / " << each.scheduler;
    EXPECT_EQ(got.schedule, each.expected_schedule) << each.sampler << " / " << each.scheduler;
  }
}

TEST(SdSamplers, ThatAreUnknownAreRefusedWithTheNearest) {
  EXPECT_NE(refusal_of([] { sd_sampler("Eular A", ""); }).find("did you mean Euler a?"), std::string::npos);
  EXPECT_NE(refusal_of([] { sd_sampler("dpm++ 2s", ""); }).find("did you mean DPM++ 2M?"), std::string::npos);
  EXPECT_NE(refusal_of([] { sd_sampler("Euler", "Karas"); }).find("did you mean Karras?"), std::string::npos);
  for (const char* name : {"UniPC", "DPM++ 2M SDE Karras", "Karras", "Euler Polyexponential", "euler_", " ", "\xff"})
    EXPECT_NE(refusal_of([name] { sd_sampler(name, ""); }).find("[sampler_name in request]"), std::string::npos) << name;
  EXPECT_NE(refusal_of([] { sd_sampler("Euler Karras", "Exponential"); }), "");
}

TEST(SdLoraTags, AreTakenOutWithTheirWeights) {
  EXPECT_EQ(taken_from("a cat"), (Taken{"a cat", {}}));
  EXPECT_EQ(taken_from(" a <b> <cat "), (Taken{" a <b> <cat ", {}}));
  EXPECT_EQ(taken_from("a cat <lora:wrong>"), (Taken{"a cat", {"lora/wrong.safetensors:1"}}));
  EXPECT_EQ(taken_from("<lora:wrong:0.7>a <lora:wrong:-1>cat"),
            (Taken{"a cat", {"lora/wrong.safetensors:0.7", "lora/wrong.safetensors:-1"}}));
  EXPECT_EQ(taken_from("a<lyco:wrong:0.5:0.25>b"), (Taken{"ab", {"lora/wrong.safetensors:unet=0.25,text=0.5"}}));
  EXPECT_EQ(taken_from("<lora:wrong:unet=0.5>").loras, std::vector<std::string>{"lora/wrong.safetensors:unet=0.5,text=1"});
  EXPECT_EQ(taken_from("<lora:wrong:te=0.5>").loras, std::vector<std::string>{"lora/wrong.safetensors:0.5"});
  EXPECT_EQ(taken_from("<lora:a:b:0.5>").loras, std::vector<std::string>{"lora/a:b.safetensors:0.5"});
  EXPECT_EQ(taken_from("<lora:x/y.safetensors:2>").loras, std::vector<std::string>{"x/y.safetensors:2"});
}

TEST(SdLoraTags, ThatNameNothingAreRefused) {
  EXPECT_NE(refusal_of([] { taken_from("<lora:wrnog:1>"); }).find("there is no LoRA \"wrnog\" here; did you mean wrong?"),
            std::string::npos);
  for (const char* prompt : {"<lora:nothing:1>", "<lora:>", "<lora:../../etc/passwd:1>", "<lora:wrong:strong>",
                             "<lora:wrong:nan>", "<lora:wrong:1:1:4>", "<lora:wrong:dyn=4>", "<lora:wrong:>"})
    EXPECT_NE(refusal_of([prompt] { taken_from(prompt); }).find("[prompt in request]"), std::string::npos) << prompt;
}

TEST(SdItems, GoByTheNamesThatClientsGiveThem) {
  const auto items = loras();
  for (const char* name :
       {"wrong", "wrong.safetensors", "wrong [1234567890]", "wrong.safetensors [1234567890]", "lora/wrong.safetensors"})
    EXPECT_EQ(sd_item(items, name, {"LoRA", "x"}).file.reference, "lora/wrong.safetensors") << name;
  auto broken = items;
  broken[0].file.fault = "a link that leads out";
  EXPECT_NE(refusal_of([&] { sd_item(broken, "wrong", {"LoRA", "x"}); }), "");
}

TEST(SdItems, AreFoundInATextAsWords) {
  const std::vector<SdItem> words = {item("bad-hands", "embeddings/bad-hands.safetensors")};
  for (const char* text : {"bad-hands", "a cat, Bad-Hands", "(bad-hands)1.2"})
    EXPECT_EQ(named_in(text, words).size(), 1u) << text;
  for (const char* text : {"", "bad hands", "bad-handsome", "nobad-hands", "bad-hands_2"})
    EXPECT_TRUE(named_in(text, words).empty()) << text;
}

TEST(SdFields, ThatAskForNothingAreNotNamed) {
  const auto names = [](const char* body) { return not_honoured(Json::parse(body), sd_drawing_fields()); };
  EXPECT_TRUE(names(R"({"enable_hr": false, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7, "styles": [],
    "subseed": 5, "subseed_strength": 0.0, "restore_faces": null, "eta": 1.0, "s_tmax": 3, "script_args": [], "steps": 4})")
                  .empty());
  EXPECT_EQ(names(R"({"enable_hr": true, "hr_scale": 2, "hr_upscaler": "Latent", "hr_prompt": ""})"),
            (std::vector<std::string>{"enable_hr", "hr_scale", "hr_upscaler"}));
  EXPECT_EQ(names(R"({"subseed": 5, "subseed_strength": 0.5, "tiling": true})"),
            (std::vector<std::string>{"subseed_strength", "subseed", "tiling"}));
}

TEST(SdFields, ThatAreUnknownAreNamedWithoutTheirValues) {
  const Json body = {{"password", "hunter2"}, {"a\r\nSet-Cookie: b", 1}, {std::string(65, 'a'), 1}, {"", 1}};
  EXPECT_EQ(
      not_honoured(body, sd_drawing_fields(), "x."),
      (std::vector<std::string>{"x.(a name of 0 bytes)", "x.(a name of 16 bytes)", "x.(a name of 65 bytes)", "x.password"}));
  Json many = Json::object();
  for (int i = 0; i < 100; ++i) many["field" + std::to_string(i)] = i;
  const auto names = not_honoured(many, sd_drawing_fields());
  EXPECT_EQ(names.size(), 41u);
  EXPECT_EQ(names.back(), "and 60 more");
}

TEST(SdFields, OfAnotherTypeAreRefusedWithoutTheirValues) {
  for (const char* body :
       {R"({"steps": "hunter2"})", R"({"steps": 1.5})", R"({"enable_hr": "hunter2"})", R"({"alwayson_scripts": ["hunter2"]})",
        R"({"styles": "hunter2"})", R"({"cfg_scale": true})", R"({"prompt": ["hunter2"]})"}) {
    const std::string refusal = refusal_of([body] { check_types(Json::parse(body), sd_drawing_fields()); });
    EXPECT_NE(refusal.find("in request] is "), std::string::npos) << body;
    EXPECT_EQ(refusal.find("hunter2"), std::string::npos) << refusal;
  }
  for (const char* body : {"{\"pw\": \"hunter2", "hunter2", "{\"pw\": \"hunter2\", \"pw\": \"hunter2\"}", "[\"hunter2\"]"}) {
    const std::string refusal = refusal_of([body] { sd_object(body); });
    EXPECT_NE(refusal, "") << body;
    EXPECT_EQ(refusal.find("hunter2"), std::string::npos) << refusal;
  }
}

TEST(SdPngInfo, ReadsTheWebuisSettings) {
  const Json got = parsed_infotext(
      "a cat: red, blue\nsecond line\nNegative prompt: bad, worse\nSteps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG "
      "scale: 7.5, "
      "Seed: 3, Size: 512x768, Lora hashes: \"x: 12, y: 34\", Note: \"open, Hashes: {\"model\": \"ab\", \"lora:x\": \"12\"}");
  const Json expected = {{"Prompt", "a cat: red, blue\nsecond line"},
                         {"Negative prompt", "bad, worse"},
                         {"Steps", "20"},
                         {"Sampler", "DPM++ 2M"},
                         {"Schedule type", "Karras"},
                         {"CFG scale", "7.5"},
                         {"Seed", "3"},
                         {"Size-1", "512"},
                         {"Size-2", "768"},
                         {"Lora hashes", "x: 12, y: 34"}};
  for (const auto& [key, value] : expected.items()) EXPECT_EQ(got.value(key, ""), value) << key;
}

TEST(SdPngInfo, TakesATextWithoutSettingsForThePrompt) {
  EXPECT_EQ(parsed_infotext("a cat, at: night"), (Json{{"Prompt", "a cat, at: night"}, {"Negative prompt", ""}}));
  EXPECT_EQ(parsed_infotext("Negative prompt: b"), (Json{{"Prompt", ""}, {"Negative prompt", "b"}}));
  EXPECT_EQ(parsed_infotext(""), Json::object());
  for (const char* text : {"\n", ":", ": ", ",,: ,: ,: ", "a: \"", "a: {, b: {, c: }", "Steps: 1, Sampler: , Size: x"})
    parsed_infotext(text);
}

}  // namespace negativa::studio
