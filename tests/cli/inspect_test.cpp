// What the program says about prompts, models, LoRAs and the machine, and its side-by-side sheets.
#include <set>

#include "program.h"

namespace negativa::test {

namespace {

std::set<std::string> keys(const Json& json) {
  std::set<std::string> names;
  for (const auto& [key, value] : json.items()) names.insert(key);
  return names;
}

// Tensors and parameters, counted in the file itself.
std::pair<int64_t, int64_t> count(const std::filesystem::path& file) {
  std::pair<int64_t, int64_t> sum{0, 0};
  const Json tensors = tensors_of(file);
  for (const auto& [name, tensor] : tensors.items()) {
    int64_t product = 1;
    for (const auto& length : tensor["shape"]) product *= length.get<int64_t>();
    ++sum.first;
    sum.second += product;
  }
  return sum;
}

}  // namespace

TEST(TokensVerb, JsonHasJustTheseKeys) {
  const Json report = parse_json(Workplace().results({"tokens", "-p", "a (big)++ lion", "--json"}), "tokens");
  EXPECT_EQ(keys(report), (std::set<std::string>{"tokenizer", "tokenizer_2", "cut"}));
  for (const char* name : {"tokenizer", "tokenizer_2"}) {
    EXPECT_EQ(keys(report[name]), (std::set<std::string>{"ids", "weights", "pieces"}));
    for (const char* key : {"ids", "weights", "pieces"}) {
      ASSERT_EQ(report[name][key].size(), 1u);
      EXPECT_EQ(report[name][key][0].size(), 77u) << key;
    }
    EXPECT_NEAR(report[name]["weights"][0][2].get<double>(), 1.21, 1e-6);
  }
  EXPECT_EQ(report["cut"], "");
}

TEST(TokensVerb, NeedsNothingOfAModelButItsTokenizers) {
  const Workplace place;
  for (const char* part : {"tokenizer", "tokenizer_2"}) {
    std::filesystem::create_directories(place / "words");
    std::filesystem::create_directory_symlink(bundled(part), place / "words" / part);
  }
  EXPECT_EQ(place.results({"tokens", "-m", "words", "-p", "lion"}), place.results({"tokens", "-p", "lion"}));
}

TEST(ModelInspect, CountsWhatTheFilesHold) {
  const Json report = parse_json(Workplace().results({"model", "inspect", "--json"}), "report");
  for (const auto& [part, file] : std::map<std::string, std::string>{{"unet", "unet/diffusion_pytorch_model.safetensors"},
                                                                     {"vae", "vae/diffusion_pytorch_model.safetensors"},
                                                                     {"text_encoder", "text_encoder/model.safetensors"},
                                                                     {"text_encoder_2", "text_encoder_2/model.safetensors"}}) {
    const auto [tensors, parameters] = count(bundled(file));
    EXPECT_EQ(report["parts"][part]["tensors"], tensors) << part;
    EXPECT_EQ(report["parts"][part]["parameters"], parameters) << part;
    EXPECT_EQ(report["sha256"][file].get<std::string>().size(), 64u) << part;
  }
  EXPECT_EQ(report["parts"].size(), 4u);
}

TEST(ModelInspect, ReadsARefiner) {
  const std::string text = Workplace().results({"model", "inspect", bundled("refiner")});
  EXPECT_TRUE(contains(text, "text_encoder_2") && !contains(text, "text_encoder ")) << text;
}

TEST(LoraInspect, SaysWhatFits) {
  const Json report = parse_json(Workplace().results({"lora", "inspect", golden("lora_kohya.safetensors"), "--json"}), "report");
  EXPECT_EQ(report["dialect"], "kohya");
  EXPECT_EQ(report["trigger"], "wrong");
  EXPECT_EQ(report["unmatched"].size(), 0u);
  EXPECT_EQ(report["layers"].size(), 15u);
  EXPECT_EQ(report["model"], "emoji-xl");
}

TEST(LoraInspect, ComparesWithFullSizeSdxlWhereThatFitsBestAndSaysSo) {
  const Workplace place;
  write_zeros(place / "sdxl.safetensors",
              {{"lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k.lora_down.weight", {2, 2048}},
               {"lora_unet_input_blocks_4_1_transformer_blocks_1_attn2_to_k.lora_up.weight", {640, 2}},
               {"lora_unet_nowhere.lora_up.weight", {640, 2}}});
  const std::string text = place.results({"lora", "inspect", "sdxl.safetensors"});
  EXPECT_TRUE(contains(text, "compared with the layers of sdxl-layers")) << text;
  EXPECT_TRUE(contains(text, "keys of unet: 2 matched, 1 unmatched")) << text;
}

TEST(Doctor, DescribesTheMachine) {
  const Json report = parse_json(Workplace().results({"doctor", "--json"}), "report");
  EXPECT_GT(report["cores"], 0);
  EXPECT_GT(report["memory_bytes"], report["available_bytes"]);
  EXPECT_EQ(report["bundled_model"], true);
  ASSERT_EQ(report["fits"].size(), 4u);
  for (size_t i = 1; i < 4; ++i) EXPECT_GT(report["fits"][i]["needs_bytes"], report["fits"][0]["needs_bytes"]);
  EXPECT_GT(report["fits"][2]["seconds"], report["fits"][0]["seconds"]);
}

TEST(Compare, DryRunPredictsAndTouchesNothing) {
  const Workplace place;
  const Json plan =
      parse_json(place.results({"compare", "--dry-run", "--json", "-p", "a big lion", "--seeds", "3", "--steps", "2"}), "plan");
  EXPECT_EQ(plan["pictures"], 6);
  EXPECT_EQ(plan["steps_total"], 12);
  EXPECT_GT(plan["peak_gib"], 0);
  EXPECT_TRUE(place.files().empty());
}

TEST(Compare, SaysWhichWordsAreCut) {
  std::string words;
  for (int i = 0; i < 80; ++i) words += "lion ";
  const Ran ran = Workplace().run({"compare", "-p", words, "--steps", "1", "--seeds", "1"});
  EXPECT_EQ(ran.exit_code, 0);
  const auto lines = lines_of(ran.err);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const auto& line) { return line.find("longer than 77 tokens") != std::string::npos; }),
            1)
      << ran.err;
}

TEST(Compare, MakesTheSameSheetTwice) {
  const Workplace place;
  const auto sheet = [&](const std::string& out, Workplace::Arguments more) {
    Workplace::Arguments args{"compare", "-q", "-p", "a big lion", "--steps", "2", "--seeds", "2", "-o", out};
    args.insert(args.end(), more.begin(), more.end());
    return place.results(args);
  };
  const std::string lora = golden("lora_kohya.safetensors").string() + ":0.1";
  EXPECT_EQ(sheet("a.png", {"--lora", lora}), "a.png\n");
  const Json report = parse_json(sheet("b.png", {"--lora", lora, "--json"}), "report");
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
  EXPECT_EQ(report["arms"].size(), 4u);
  EXPECT_EQ(report["seeds"], Json({0, 1}));
  sheet("two.png", {});
  EXPECT_GT(picture(place / "a.png").width, picture(place / "two.png").width);
}

}  // namespace negativa::test
