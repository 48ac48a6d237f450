#include "jobs/lora_inspect.h"
#include "lora_inspect_text.h"
#include "lora_merge_text.h"
#include "program.h"

namespace negativa::cli {

namespace {

using namespace test;

const std::string on = "unet.mid_block.attentions.0.proj_in", off = "unet.mid_block.attentions.0.proj_out";

// Both layers, of rank 2, as they stand in a file of peft's.
NamedShapes both_layers() {
  NamedShapes tensors;
  for (const auto& layer : {on, off}) {
    tensors.push_back({layer + ".lora_A.weight", {2, 128}});
    tensors.push_back({layer + ".lora_B.weight", {128, 2}});
  }
  return tensors;
}

LoraReport compared(const Path& file) {
  Engine engine({.places = {.bundled = std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models"}});
  EventSink silence;
  const CancelToken never;
  return lora_inspect(engine, {file, ""}, silence, never);
}

}  // namespace

TEST(LoraInspectText, NamesWhatDoesNotFit) {
  LoraReport report;
  report.compared = true;
  report.unmatched = {"lora_te2_nowhere.lora_down.weight"};
  report.faults = {"mid_block.proj_in: up is [5, 3], expected [128, 3]"};
  const auto text = text_of(report);
  EXPECT_TRUE(contains(text, "  unmatched lora_te2_nowhere.lora_down.weight\n")) << text;
  EXPECT_TRUE(contains(text, "  misshapen mid_block.proj_in: up is [5, 3], expected [128, 3]\n")) << text;
}

TEST(LoraInspectText, JsonSaysWhatTheTextSays) {
  const auto report = compared(golden("lora_kohya.safetensors"));
  const Json json = parse_json(json_of(report), "report");
  EXPECT_EQ(json["layers"].size(), 15u);
  EXPECT_EQ(json["parts"]["unet"]["matched"], 27);
  EXPECT_EQ(json["metadata"]["ss_output_name"], "golden");
  EXPECT_EQ(json["trigger"], "wrong");
  EXPECT_EQ(json["auto_v3"], report.auto_v3());
  const auto text = text_of(report);
  EXPECT_TRUE(contains(text, "trigger word: wrong (ss_tag_frequency)")) << text;
  EXPECT_TRUE(contains(text, "unet: 9 layers, rank 2, 4, alpha 1")) << text;
  EXPECT_TRUE(contains(text, report.auto_v2())) << text;
}

TEST(LoraInspectText, NamesKindsThatAreNoPlainLoras) {
  LoraReport report;
  report.layers = {{"unet", "conv_in", 4, 4, 32, 2, 0.5, "LoCon"},
                   {"unet", "mid_block.attentions.0.proj_in", 8, 128, 128, 8, std::nan(""), "DoRA"},
                   {"unet", "mid_block.attentions.0.norm", 0, 128, 128, 0, 0.25, "difference"}};
  report.words = {"frog"};
  report.superseded = {"unet conv_in"};
  const auto text = text_of(report);
  for (const char* line : {"unet: 3 layers (1 DoRA, 1 LoCon, 1 difference), rank 4, 8, alpha 2, 8\n",
                           "unet conv_in: LoCon, rank 4, alpha 2, norm 0.5\n",
                           "unet mid_block.attentions.0.proj_in: DoRA, rank 8, alpha 8, norm by the model's weight\n",
                           "unet mid_block.attentions.0.norm: difference, norm 0.25\n", "brings along the word \"frog\"\n",
                           "named twice, as SGM's and as diffusers', which counts unet conv_in\n"})
    EXPECT_TRUE(contains(text, line)) << text;
  const Json json = parse_json(json_of(report), "report");
  EXPECT_EQ(json["layers"][1]["kind"], "DoRA");
  EXPECT_TRUE(json["layers"][1]["norm"].is_null());
}

TEST(LoraInspectText, SaysWhatAFileWithoutLoraLayersIs) {
  const Workplace place;
  write_zeros(place / "e.safetensors", {{"clip_l", {1, 64}}, {"clip_g", {1, 96}}});
  EXPECT_TRUE(contains(text_of(inspect_lora(place / "e.safetensors", nullptr)), "it seems to be a textual-inversion embedding"));
}

TEST(LoraInspectText, ShowsLayersThatAreOffWithAndWithoutAModel) {
  const Workplace place;
  auto tensors = both_layers();
  tensors.push_back({off + ".alpha", {}});
  write_zeros(place / "lora.safetensors", tensors);
  for (const auto& report : {compared(place / "lora.safetensors"), inspect_lora(place / "lora.safetensors", nullptr)}) {
    ASSERT_EQ(report.off.size(), 1u);
    EXPECT_TRUE(contains(text_of(report), "  off (alpha 0) " + report.off[0] + "\n")) << text_of(report);
    EXPECT_FALSE(contains(text_of(report), "switched off by alpha 0")) << text_of(report);
  }
  tensors.push_back({on + ".alpha", {}});
  write_zeros(place / "lora.safetensors", tensors);
  EXPECT_TRUE(contains(text_of(compared(place / "lora.safetensors")), "has no effect: all its layers"));
}

TEST(LoraInspectText, SaysWhenTensorsWereChangedAfterTheirHashWasRecorded) {
  LoraReport report;
  report.sha256 = report.data_sha256 = std::string(64, 'a');
  report.metadata["sshs_model_hash"] = report.data_sha256;
  EXPECT_FALSE(contains(text_of(report), "were changed")) << text_of(report);
  report.metadata["sshs_model_hash"] = std::string(64, 'b');
  EXPECT_TRUE(contains(text_of(report), "were changed")) << text_of(report);
}

TEST(LoraInspectText, KeepsControlCharactersOfAFileFromTheTerminal) {
  LoraReport report;
  report.metadata["note"] = "a\x1b[2Jb\nc";
  EXPECT_TRUE(contains(text_of(report), "metadata note = a [2Jb c\n")) << text_of(report);
}

TEST(LoraMergeText, SaysRanksAndErrorsOfLayersAndOfTheWhole) {
  LoraMergeReport report;
  report.out = "merged.safetensors";
  report.format = "kohya";
  report.names = {"a", "b"};
  MergedLayer layer;
  layer.component = "unet";
  layer.module = "mid_block.proj_in";
  layer.rank = 1;
  layer.full_rank = 4;
  layer.norm = 2;
  layer.error = 0.25;
  layer.best_error = 0.125;
  layer.cosines = {{0, 1, -0.5}};
  report.layers = {layer};
  report.mean_cosine = report.least_cosine = report.greatest_cosine = -0.5;
  report.kept_energy = 0.2;
  report.error = 0.25;
  report.best_error = 0.125;
  EXPECT_EQ(text_of(report),
            "unet mid_block.proj_in: rank 1 of 4, norm 2, cosine -0.500, error 0.25 (least possible 0.125)\n"
            "interference: cosine -0.500 on average, from -0.500 to -0.500; energy kept 0.200 of the parts'\n"
            "error of the whole 0.25 (least possible 0.125)\n"
            "1 layers of 2 LoRAs -> merged.safetensors (kohya)\n");
  const Json json = parse_json(json_of(report), "report");
  ASSERT_EQ(json["layers"].size(), 1u);
  EXPECT_EQ(json["layers"][0]["cosines"][0]["loras"], Json({0, 1}));
  EXPECT_EQ(json["mean_cosine"], -0.5);
}

}  // namespace negativa::cli
