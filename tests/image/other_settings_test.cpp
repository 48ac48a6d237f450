// What other programs write into their pictures: texts as the webui, Forge, SD.Next, Fooocus and ComfyUI write them.
#include "image/other_settings.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "image/infotext.h"

namespace negativa {

namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

// The names of what is not honoured, in order.
std::string left_out(const OtherSettings& found) {
  std::string names;
  for (const auto& line : found.not_honoured) names += line.substr(0, line.find(": ")) + "; ";
  return names;
}

std::string refusal_of(const TextChunks& text) {
  try {
    other_settings(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Json sampled() {  // the graph ComfyUI begins with, for SDXL
  return Json::parse(R"({
    "3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615, "steps": 25, "cfg": 7.5, "sampler_name": "dpmpp_2m",
          "scheduler": "karras", "denoise": 1, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0],
          "latent_image": ["5", 0]}, "_meta": {"title": "KSampler"}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "SDXL\\sd_xl_base_1.0.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 832, "height": 1216, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a (red:1.2) fox", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "text, watermark", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "ComfyUI", "images": ["8", 0]}}})");
}

OtherSettings of(const Json& graph) { return *other_settings({{"prompt", graph.dump()}, {"workflow", "{}"}}); }
std::string graph_refusal(const Json& graph) { return refusal_of(TextChunks{{"prompt", graph.dump()}}); }

}  // namespace

TEST(WebuiSettings, AreReadFromWhatProgramsWrite) {
  struct Case {
    const char* text;
    Settings settings;
    const char *sampler, *scheduler, *model, *vae, *left_out;
  };
  const Case cases[] = {
      // AUTOMATIC1111 1.10
      {"portrait of a woman, (freckles:1.2) <lora:add_detail:0.6>\nNegative prompt: (worst quality:1.4), lowres\nSteps: 28, "
       "Sampler: "
       "DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 2913842711, Size: 832x1216, Model hash: 31e35c80fc, Model: "
       "sd_xl_base_1.0, VAE hash: 235745af8d, VAE: sdxl_vae.safetensors, Lora hashes: \"add_detail: 7c6bad76eb54\", Version: "
       "v1.10.1",
       {{"steps", "28"}, {"cfg_scale", "6.5"}, {"seed", "2913842711"}, {"width", "832"}, {"height", "1216"}},
       "DPM++ 2M",
       "Karras",
       "sd_xl_base_1.0",
       "sdxl_vae",
       "RNG; "},
      // with a second pass and faces drawn again
      {"a cat\nSteps: 20, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 1, Size: 1024x1024, Model: x, "
       "Denoising "
       "strength: 0.4, Clip skip: 2, RNG: CPU, ADetailer model: face_yolov8n.pt, ADetailer prompt: \"a face, smiling\\nsecond\", "
       "ADetailer confidence: 0.3, Hires upscale: 1.5, Hires steps: 10, Hires upscaler: 4x-UltraSharp, Version: v1.9.4",
       {{"steps", "20"}, {"cfg_scale", "7"}, {"seed", "1"}, {"width", "1024"}, {"height", "1024"}},
       "Euler a",
       "Automatic",
       "x",
       "",
       "Denoising strength; ADetailer model; ADetailer prompt; ADetailer confidence; Hires upscale; Hires steps; Hires "
       "upscaler; "},
      // before schedules had a name of their own
      {"a dog\nNegative prompt: bad\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7, Seed: 5, Size: 512x768, Model hash: "
       "6ce0161689, Model: v1-5-pruned-emaonly, Clip skip: 3, ENSD: 31337",
       {{"steps", "30"}, {"cfg_scale", "7"}, {"seed", "5"}, {"width", "512"}, {"height", "768"}},
       "DPM++ 2M Karras",
       "",
       "v1-5-pruned-emaonly",
       "",
       "Clip skip; ENSD; RNG; "},
      // Forge, with ControlNet
      {"a house\nSteps: 20, Sampler: Euler, Schedule type: SGM Uniform, CFG scale: 5, Distilled CFG Scale: 3.5, Seed: 9, Size: "
       "1024x1024, Model hash: 1449e5b0b9, Model: animagine, ControlNet 0: \"Module: canny, Model: x [12], Weight: 1.0\", "
       "Version: "
       "f2.0.1v1.10.1-previous-224-g90019688, Module 1: sdxl_vae",
       {{"steps", "20"}, {"cfg_scale", "5"}, {"seed", "9"}, {"width", "1024"}, {"height", "1024"}},
       "Euler",
       "SGM Uniform",
       "animagine",
       "",
       "Distilled CFG Scale; ControlNet 0; Module 1; RNG; "},
      // SD.Next
      {"a car\nNegative prompt: bad\nSteps: 20, Size: 1024x1024, Sampler: Euler a, Seed: 3, CFG scale: 6, CFG true: 6, App: "
       "SD.Next, "
       "Version: 3b9c4a3, Parser: full, Operations: txt2img, Model: juggernaut, Model hash: aeb7e9e689, Backend: Diffusers",
       {{"steps", "20"}, {"width", "1024"}, {"height", "1024"}, {"seed", "3"}, {"cfg_scale", "6"}},
       "Euler a",
       "",
       "juggernaut",
       "",
       "CFG true; RNG; "},
      // Civitai's generator
      {"a tree\nNegative prompt: bad\nSteps: 30, Sampler: DPM++ 2M Karras, CFG scale: 4, Seed: 8, Size: 832x1216, Clip skip: 2, "
       "Created Date: 2024-09-01T12:00:00.0Z, Civitai resources: "
       "[{\"type\":\"checkpoint\",\"modelVersionId\":1,\"modelName\":\"a, "
       "b\"}], Civitai metadata: {}",
       {{"steps", "30"}, {"cfg_scale", "4"}, {"seed", "8"}, {"width", "832"}, {"height", "1216"}},
       "DPM++ 2M Karras",
       "",
       "",
       "",
       "Civitai resources; RNG; "},
      // with a refiner, and lines of an extension behind the settings
      {"a boat\nSteps: 25, Sampler: UniPC, CFG scale: 7, Seed: 4, Size: 1024x1024, Model: base, Refiner: refiner [7440042bbd], "
       "Refiner "
       "switch at: 0.8, Version: v1.6.0\nTemplate: a {boat|ship}\nNegative Template: ",
       {{"steps", "25"}, {"cfg_scale", "7"}, {"seed", "4"}, {"width", "1024"}, {"height", "1024"}, {"refiner_start", "0.8"}},
       "UniPC",
       "",
       "base",
       "",
       "RNG; "},
  };
  for (const auto& each : cases) {
    const auto found = *other_settings({{"parameters", each.text}});
    EXPECT_EQ(found.settings, each.settings) << each.text;
    EXPECT_EQ(found.sampler, each.sampler) << each.text;
    EXPECT_EQ(found.scheduler, each.scheduler) << each.text;
    EXPECT_EQ(found.model, each.model) << each.text;
    EXPECT_EQ(found.vae, each.vae) << each.text;
    EXPECT_EQ(left_out(found), each.left_out) << each.text;
  }
}

TEST(WebuiSettings, KeepPromptsOfManyLines) {
  const auto found =
      *other_settings({{"parameters",
                        "a cat: red,\nSteps: are not settings\n\nNegative prompt: bad,\nworse\nSteps: 20, Sampler: "
                        "Euler, CFG scale: 7, TI hashes: \"easynegative: c74b4e810b03, bad-hands: 12\""}});
  EXPECT_EQ(found.prompt, "a cat: red,\nSteps: are not settings");
  EXPECT_EQ(found.negative_prompt, "bad,\nworse");
  EXPECT_EQ(found.embeddings, (std::vector<std::string>{"easynegative", "bad-hands"}));
  EXPECT_EQ(other_settings({{"parameters", "just words"}})->prompt, "just words");
  EXPECT_FALSE(other_settings({{"parameters", "a\nSteps: 1, Sampler: Euler, Seed: 2"}})->negative_prompt.has_value());
}

TEST(WebuiSettings, OfOurOwnPicturesAreWeightedAsHere) {
  const auto found =
      *other_settings({{"parameters", "a (red)1.2 cat\nSteps: 4, Sampler: Euler, Seed: 2, Version: negativa 0.1.0"}});
  EXPECT_EQ(found.dialect, PromptDialect::compel);
  EXPECT_EQ(left_out(found), "");
}

TEST(WebuiSettings, StayInOneShortLine) {
  const std::string hostile = "<img src=x onerror=alert(1)>\x1b[31m" + std::string(5000, 'x');
  const auto found =
      *other_settings({{"parameters", "a\nSteps: 1, Sampler: Euler, " + hostile + ": \"b\\nc\", Wrong: \"d\\nc\", Seed: 2"}});
  for (const auto& line : found.not_honoured) {
    EXPECT_LT(line.size(), 300u);
    EXPECT_EQ(std::count_if(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }), 0) << line;
  }
  std::string many = "a\nSteps: 1";
  for (int i = 0; i < 500; ++i) many += ", Key" + std::to_string(i) + ": 1";
  EXPECT_EQ(other_settings({{"parameters", many}})->not_honoured.back(), "and 440 more settings that are not known here");
}

TEST(FooocusSettings, AreRead) {
  const auto found = *other_settings(
      {{"fooocus_scheme", "fooocus"},
       {"parameters",
        R"json({"adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8Rundiffusion", "base_model_hash": "aeb7e9e689",
         "clip_skip": 2, "full_negative_prompt": ["bad"], "full_prompt": ["a cat", "photograph"], "guidance_scale": 4, "loras":
         [["sd_xl_offset_example-lora_1.0.safetensors", 0.1, "4852686128"]], "metadata_scheme": "fooocus", "negative_prompt": "",
         "performance": "Speed", "prompt": "a cat", "refiner_model": "None", "refiner_switch": 0.5, "resolution": "(1152, 896)",
         "sampler": "euler_ancestral", "scheduler": "karras", "seed": "4294967296123", "sharpness": 2, "steps": 30, "styles":
         "['Fooocus V2']", "vae": "Default (model)", "version": "Fooocus v2.5.5"})json"}});
  EXPECT_EQ(found.program, "Fooocus");
  EXPECT_EQ(found.prompt, "a cat");
  EXPECT_EQ(found.model, "juggernautXL_v8Rundiffusion");
  EXPECT_EQ(found.vae + found.refiner, "");
  EXPECT_EQ(found.sampler + " " + found.scheduler, "euler_ancestral karras");
  ASSERT_EQ(found.loras.size(), 1u);
  EXPECT_EQ(found.loras[0].name, "sd_xl_offset_example-lora_1.0");
  EXPECT_EQ(found.loras[0].unet, 0.1);
  EXPECT_EQ(Settings(found.settings),
            (Settings{{"cfg_scale", "4"}, {"width", "1152"}, {"height", "896"}, {"seed", "4294967296123"}, {"steps", "30"}}));
  EXPECT_EQ(left_out(found), "adm_guidance; sharpness; styles; ");
}

TEST(ComfySettings, AreReadFromTheFirstGraph) {
  const auto found = of(sampled());
  EXPECT_EQ(found.program, "ComfyUI");
  EXPECT_EQ(found.dialect, PromptDialect::comfy);
  EXPECT_EQ(found.prompt, "a (red:1.2) fox");
  EXPECT_EQ(found.negative_prompt, "text, watermark");
  EXPECT_EQ(found.model, "sd_xl_base_1.0");
  EXPECT_EQ(found.sampler + " " + found.scheduler, "dpmpp_2m karras");
  EXPECT_EQ(
      found.settings,
      (Settings{{"seed", "18446744073709551615"}, {"cfg_scale", "7.5"}, {"steps", "25"}, {"width", "832"}, {"height", "1216"}}));
  EXPECT_TRUE(found.not_honoured.empty()) << found.not_honoured[0];
}

TEST(ComfySettings, FollowLorasAlongModelAndText) {
  Json graph = sampled();
  const auto loader = [](const char* name, double model, double clip, const char* before) {
    return Json{{"class_type", "LoraLoader"},
                {"inputs",
                 {{"lora_name", name},
                  {"strength_model", model},
                  {"strength_clip", clip},
                  {"model", {before, 0}},
                  {"clip", {before, 1}}}}};
  };
  graph["10"] = loader("styles/ink.safetensors", 0.8, 0.5, "4");
  graph["11"] = {{"class_type", "LoraLoaderModelOnly"},
                 {"inputs", {{"lora_name", "fast.safetensors"}, {"strength_model", 1}, {"model", {"10", 0}}}}};
  graph["12"] = {{"class_type", "CLIPSetLastLayer"}, {"inputs", {{"stop_at_clip_layer", -2}, {"clip", {"10", 1}}}}};
  graph["13"] = {{"class_type", "FreeU_V2"}, {"inputs", {{"b1", 1.3}, {"model", {"11", 0}}}}};
  graph["3"]["inputs"]["model"] = {"13", 0};
  for (const char* text : {"6", "7"}) graph[text]["inputs"]["clip"] = {"12", 0};
  auto found = of(graph);
  ASSERT_EQ(found.loras.size(), 2u);
  EXPECT_EQ(found.loras[0].name, "ink");
  EXPECT_EQ(found.loras[0].unet, 0.8);
  EXPECT_EQ(found.loras[0].text, 0.5);
  EXPECT_EQ(found.loras[1].name, "fast");
  EXPECT_EQ(found.loras[1].text, 0);
  EXPECT_EQ(left_out(found), "FreeU_V2; ");
  EXPECT_EQ(found.model, "sd_xl_base_1.0");

  graph["7"]["inputs"]["clip"] = {"4", 1};  // the negative prompt without the LoRA: there is no such setting here
  found = of(graph);
  EXPECT_TRUE(found.loras.empty());
  EXPECT_EQ(left_out(found), "FreeU_V2; LoRAs; ");

  graph["10"] = {{"class_type", "Power Lora Loader (rgthree)"},
                 {"inputs",
                  {{"lora_1", {{"on", true}, {"lora", "ink.safetensors"}, {"strength", 0.7}}},
                   {"lora_2", {{"on", false}, {"lora", "off.safetensors"}, {"strength", 1}}},
                   {"model", {"4", 0}},
                   {"clip", {"4", 1}}}}};
  graph["7"]["inputs"]["clip"] = {"10", 1};
  found = of(graph);
  ASSERT_EQ(found.loras.size(), 2u);
  EXPECT_EQ(found.loras[0].name + found.loras[1].name, "inkfast");
}

TEST(ComfySettings, AreReadFromASamplerOfParts) {
  Json graph = sampled();
  graph["3"] = Json::parse(R"({"class_type": "SamplerCustomAdvanced", "inputs": {"noise": ["20", 0], "guider": ["21", 0],
    "sampler": ["22", 0], "sigmas": ["23", 0], "latent_image": ["5", 0]}})");
  graph["20"] = {{"class_type", "RandomNoise"}, {"inputs", {{"noise_seed", 11}}}};
  graph["21"] = Json::parse(
      R"({"class_type": "CFGGuider", "inputs": {"cfg": 5, "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0]}})");
  graph["22"] = {{"class_type", "KSamplerSelect"}, {"inputs", {{"sampler_name", "euler"}}}};
  graph["23"] = Json::parse(
      R"({"class_type": "BasicScheduler", "inputs": {"scheduler": "sgm_uniform", "steps": 12, "denoise": 1, "model": ["4", 0]}})");
  auto found = of(graph);
  EXPECT_EQ(found.settings,
            (Settings{{"seed", "11"}, {"cfg_scale", "5"}, {"steps", "12"}, {"width", "832"}, {"height", "1216"}}));
  EXPECT_EQ(found.sampler + " " + found.scheduler + " " + found.model, "euler sgm_uniform sd_xl_base_1.0");
  EXPECT_EQ(found.prompt, "a (red:1.2) fox");
  EXPECT_EQ(left_out(found), "");
  graph["23"] = {{"class_type", "SplitSigmas"}, {"inputs", {{"step", 3}}}};
  graph["21"]["class_type"] = "BasicGuider";
  EXPECT_NE(graph_refusal(graph).find("its guider is a node \"BasicGuider\""), std::string::npos);
}

TEST(ComfySettings, TakeSizesThatTheModelIsTold) {
  Json graph = sampled();
  graph["6"] = Json::parse(R"({"class_type": "CLIPTextEncodeSDXL", "inputs": {"text_g": "a fox", "text_l": "red", "width": 2048,
    "height": 1024, "crop_w": 8, "crop_h": 16, "target_width": 832, "target_height": 1216, "clip": ["4", 1]}})");
  graph["7"] = {{"class_type", "ConditioningZeroOut"}, {"inputs", {{"conditioning", {"6", 0}}}}};
  const auto found = of(graph);
  EXPECT_EQ(found.prompt, "red");
  EXPECT_EQ(found.prompt_2, "a fox");
  EXPECT_FALSE(found.negative_prompt.has_value());
  EXPECT_EQ(Settings(found.settings.begin() + 3, found.settings.begin() + 6),
            (Settings{{"original_size", "1024x2048"}, {"crop_top_left", "16,8"}, {"target_size", "1216x832"}}));
  EXPECT_EQ(left_out(found), "");
}

TEST(ComfySettings, ThatAreNotCertainAreNotFound) {
  Json graph = sampled();
  graph["6"]["inputs"]["text"] = {"30", 0};  // a text that another node makes
  graph["30"] = {{"class_type", "WildcardEncode"}, {"inputs", {{"text", "a __animal__"}}}};
  graph["3"]["inputs"]["seed"] = {"31", 0};
  graph["31"] = {{"class_type", "Random Number"}, {"inputs", {{"minimum", 0}}}};
  graph["5"] = {{"class_type", "VAEEncode"}, {"inputs", {{"pixels", {"32", 0}}}}};
  graph["32"] = {{"class_type", "LoadImage"}, {"inputs", {{"image", "a.png"}}}};
  graph["3"]["inputs"]["denoise"] = 0.5;
  auto found = of(graph);
  EXPECT_FALSE(found.prompt.has_value());
  EXPECT_EQ(found.negative_prompt, "text, watermark");
  EXPECT_EQ(found.settings, (Settings{{"cfg_scale", "7.5"}, {"steps", "25"}}));
  EXPECT_EQ(left_out(found), "seed; denoise; positive; latent_image; ");
  graph["30"] = {{"class_type", "PrimitiveStringMultiline"}, {"inputs", {{"value", "a held text"}}}};
  EXPECT_EQ(of(graph).prompt, "a held text");
}

TEST(ComfySettings, OfSeveralSamplersAreNotFound) {
  Json two = sampled();
  two["13"] = two["3"];
  two["18"] = two["8"];
  two["18"]["inputs"]["samples"] = {"13", 0};
  two["19"] = two["9"];
  two["19"]["inputs"]["images"] = {"18", 0};
  EXPECT_NE(graph_refusal(two).find("its pictures come from 2 samplers"), std::string::npos) << graph_refusal(two);

  Json chained = sampled();
  chained["13"] = chained["3"];
  chained["14"] = Json::parse(R"({"class_type": "LatentUpscale", "inputs": {"samples": ["13", 0]}})");
  chained["3"]["inputs"]["latent_image"] = {"14", 0};
  EXPECT_NE(graph_refusal(chained).find("several samplers draw one picture"), std::string::npos) << graph_refusal(chained);

  Json part = sampled();
  part["3"]["class_type"] = "KSamplerAdvanced";
  part["3"]["inputs"].update({{"noise_seed", 1},
                              {"add_noise", "enable"},
                              {"start_at_step", 0},
                              {"end_at_step", 20},
                              {"return_with_leftover_noise", "enable"}});
  EXPECT_NE(graph_refusal(part).find("a part of the steps"), std::string::npos) << graph_refusal(part);
  part["3"]["inputs"]["end_at_step"] = 10000;
  EXPECT_EQ(of(part).settings[0], (std::pair<std::string, std::string>("seed", "1")));

  Json between = sampled();
  between["9"]["inputs"]["images"] = {"20", 0};
  between["20"] = Json::parse(R"({"class_type": "FaceDetailer", "inputs": {"image": ["8", 0]}})");
  EXPECT_NE(graph_refusal(between).find("\"FaceDetailer\" stands between"), std::string::npos) << graph_refusal(between);
}

TEST(ComfySettings, OfBrokenAndHostileGraphsAreRefusedInALine) {
  std::string deep = "1";
  for (int i = 0; i < 70; ++i) deep = "[" + deep + "]";
  Json circle = sampled(), round_model = sampled(), round_latents = sampled(), lost = sampled(), no_output = sampled();
  circle["8"]["inputs"]["samples"] = {"8", 0};
  round_latents["5"] = Json::parse(R"({"class_type": "LatentFlip", "inputs": {"samples": ["5", 0]}})");
  lost["9"]["inputs"]["images"] = {"99", 0};
  no_output.erase("9");
  const std::string texts[] = {deep,
                               "{\"1\": " + deep + "}",
                               "",
                               "{",
                               "[]",
                               "{}",
                               "null",
                               "{\"1\": 5}",
                               "{\"1\": {\"class_type\": 5, \"inputs\": {}}}",
                               "{\"1\": {\"class_type\": \"SaveImage\", \"inputs\": []}}",
                               "{\"1\": {\"class_type\": \"SaveImage\", \"inputs\": {\"images\": [\"1\", 0]}}}",
                               circle.dump(),
                               round_latents.dump(),
                               lost.dump(),
                               no_output.dump(),
                               "\"" + std::string(max_other_bytes, 'x') + "\""};
  for (const auto& text : texts) {
    if (text.empty()) continue;
    const std::string refusal = refusal_of(TextChunks{{"prompt", text}});
    EXPECT_NE(refusal, "") << text.substr(0, 200);
    EXPECT_EQ(refusal.find('\n'), std::string::npos);
    EXPECT_LT(refusal.size(), 400u);
  }
  round_model["4"] = Json::parse(R"({"class_type": "ModelMergeSimple", "inputs": {"model": ["4", 0], "clip": ["4", 0]}})");
  EXPECT_EQ(of(round_model).model, "");
}

TEST(OtherSettings, AreNoneWhereNothingIsWritten) {
  EXPECT_FALSE(other_settings({}).has_value());
  EXPECT_FALSE(other_settings({{"Software", "GIMP"}}).has_value());
  EXPECT_NE(refusal_of(TextChunks{{"workflow", "{}"}}).find("without the \"prompt\""), std::string::npos);
  EXPECT_NE(refusal_of(TextChunks{{"parameters", "{\"sui_image_params\": {}}"}}), "");
}

}  // namespace negativa
