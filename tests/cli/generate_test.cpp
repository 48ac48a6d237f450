// Pictures: the same command gives the same bytes, and what is typed is what is drawn.
#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

const std::string lora = golden("lora_kohya.safetensors");

// generate with two steps, quietly.
Workplace::Arguments draw(const std::string& out, Workplace::Arguments more) {
  Workplace::Arguments args{"generate", "-q", "-p", "a big lion", "--steps", "2", "-s", "5", "-o", out};
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

}  // namespace

TEST(Generate, TheSameCommandGivesTheSameBytesWhateverTheThreads) {
  const Workplace place;
  EXPECT_EQ(place.results(draw("a.png", {})), "a.png\n");
  place.results(draw("b.png", {"--threads", "1"}));
  place.results(draw("c.png", {"--threads", "2"}));
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
  EXPECT_EQ(place.read("a.png"), place.read("c.png"));
  EXPECT_EQ(picture(place / "a.png").width, 64);
}

TEST(Generate, PictureIOfManyIsThatMadeAloneWithSeedPlusI) {
  const Workplace place;
  for (const Workplace::Arguments& more :
       std::vector<Workplace::Arguments>{{},
                                         {"--sampler", "euler_ancestral", "--lora", lora + ":0.2:negative", "--refiner",
                                          bundled("refiner"), "--refiner-start", "0.5"}}) {
    auto batch = draw("many.png", more), alone = draw("alone.png", more);
    batch.insert(batch.end(), {"--batch-count", "3"});
    auto names = lines_of(place.results(batch));  // as they are finished
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{"many-0000.png", "many-0001.png", "many-0002.png"}));
    alone.insert(alone.end(), {"-s", "7"});
    place.results(alone);
    EXPECT_EQ(place.read("many-0002.png"), place.read("alone.png"));
    EXPECT_NE(place.read("many-0000.png"), place.read("many-0001.png"));
  }
}

TEST(Generate, AbsentAndEmptyNegativePromptsDiffer) {
  const Workplace place;
  place.results(draw("absent.png", {}));
  place.results(draw("empty.png", {"-n", ""}));
  EXPECT_NE(picture(place / "absent.png"), picture(place / "empty.png"));
}

TEST(Generate, ALoraOfWeightZeroDrawsWhatNoLoraDraws) {
  const Workplace place;
  place.results(draw("none.png", {}));
  place.results(draw("zero.png", {"--lora", lora + ":0"}));
  EXPECT_EQ(picture(place / "none.png"), picture(place / "zero.png"));
}

TEST(Generate, BranchesOfALoraDiffer) {
  const Workplace place;
  std::vector<Image8> pictures;
  for (const char* branch : {"both", "negative", "positive"}) {
    place.results(draw("one.png", {"-n", "wrong", "--lora", lora + ":0.2:" + branch}));
    for (const auto& other : pictures) EXPECT_NE(picture(place / "one.png"), other) << branch;
    pictures.push_back(picture(place / "one.png"));
  }
}

TEST(Generate, OneFileMayActSeveralTimesOnSeveralBranches) {  // Diffusion-NPO: arXiv:2505.11245
  const Workplace place;
  std::filesystem::copy_file(lora, place / "dpo.safetensors");
  std::filesystem::copy_file(golden("lora_diffusers.safetensors"), place / "npo.safetensors");
  place.results(draw("npo.png", {"-n", "wrong", "--lora", "dpo.safetensors:0.1:positive", "--lora",
                                 "dpo.safetensors:0.06:negative", "--lora", "npo.safetensors:0.1:negative"}));
  const Json recipe = parse_json(text_chunk(place / "npo.png", "negativa"), "recipe");
  EXPECT_EQ(recipe["settings"]["lora"],
            Json({"dpo.safetensors:0.1:positive", "dpo.safetensors:0.06:negative", "npo.safetensors:0.1:negative"}));
  EXPECT_EQ(recipe["inputs"].size(), 3u);  // the model and two files
}

TEST(Generate, ARecipeHoldsNoPath) {
  const Workplace place;
  place.results(draw("a.png", {"--lora", lora + ":0.2", "-m", bundled(), "--refiner", bundled("refiner").string() + "/", "--vae",
                               bundled("vae")}));
  for (const char* chunk : {"negativa", "parameters"}) {
    const std::string text = text_chunk(place / "a.png", chunk);
    EXPECT_FALSE(text.empty());
    EXPECT_FALSE(contains(text, "/")) << text;
  }
}

TEST(Generate, SavesEveryTensor) {
  const Workplace place;
  place.results(draw("a.png", {"-n", "wrong", "--save-tensors", "a.safetensors"}));
  const Json tensors = tensors_of(place / "a.safetensors");
  const std::map<std::string, Json> shapes = {{"prompt_embeds", {1, 77, 160}},     {"negative_prompt_embeds", {1, 77, 160}},
                                              {"pooled_prompt_embeds", {1, 96}},   {"negative_pooled_prompt_embeds", {1, 96}},
                                              {"initial_latents", {1, 4, 16, 16}}, {"base_latents", {1, 4, 16, 16}},
                                              {"latents", {1, 4, 16, 16}},         {"image", {1, 3, 64, 64}}};
  EXPECT_EQ(tensors.size(), shapes.size());
  for (const auto& [name, shape] : shapes) {
    ASSERT_TRUE(tensors.contains(name)) << name;
    EXPECT_EQ(tensors[name]["shape"], shape) << name;
    EXPECT_EQ(tensors[name]["dtype"], "F32") << name;
  }
}

TEST(Generate, PrintConfigSaysWhereEachValueCameFrom) {
  const Workplace place;
  place.write("mine.toml", "steps = 3\ncfg_scale = 4.5\n");
  const auto lines = lines_of(place.results({"generate", "-p", "x", "--config", "mine.toml", "--steps", "4", "--print-config"}));
  const auto source = [&](const std::string& name) {
    for (const auto& line : lines)
      if (line.starts_with(name + " ="))
        return line.substr(name.size() + 3, line.find(' ', name.size() + 3) - name.size() - 3) + line.substr(line.find('#') + 1);
    return std::string();
  };
  EXPECT_EQ(source("steps"), "4 --steps");
  EXPECT_EQ(source("cfg_scale"), "4.5 mine.toml");
  EXPECT_EQ(source("width"), "64 emoji-xl");
  EXPECT_EQ(source("guidance_rescale"), "0.0 default");
  EXPECT_EQ(place.files(), std::vector<std::string>{"mine.toml"});
}

TEST(Generate, ATomlFileSetsWhatIsNotTyped) {
  const Workplace place;
  place.write("mine.toml", "prompt = 'a big lion'\nsteps = 9\nseed = 5\nsampler = 'dpmpp_2m'\n");
  place.results({"generate", "-q", "--config", "mine.toml", "--steps", "2", "-o", "a.png"});
  place.results(draw("b.png", {"--sampler", "dpmpp_2m"}));
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

TEST(Generate, DryRunTouchesNothing) {
  const Workplace place;
  const Json plan = parse_json(place.results(draw("new/", {"--dry-run", "--json", "--batch-count", "3"})), "plan");
  EXPECT_EQ(plan["pictures"], 3);
  EXPECT_EQ(plan["steps_total"], 6);
  EXPECT_EQ(plan["first_file"], "new/0000.png");
  EXPECT_EQ(plan["fits"], true);
  for (const char* key : {"peak_gib", "activations_gib", "seconds", "gflop_s"}) EXPECT_GT(plan[key], 0) << key;
  EXPECT_TRUE(place.files().empty());
}

TEST(Generate, ResultsAreOnStdoutAndTheRestOnStderr) {
  const Workplace place;
  Ran ran = place.run(draw("a.png", {}));
  EXPECT_EQ(ran.err, "");
  ran = place.run({"generate", "-p", "a big lion", "--steps", "2", "-s", "5", "-o", "b/"});
  EXPECT_EQ(ran.out, "b/0000.png\n");
  for (const char* part : {"emoji-xl", "2/2", "1 made", "peak memory"}) EXPECT_TRUE(contains(ran.err, part)) << ran.err;
  const Json report = parse_json(place.results(draw("a.png", {"--json", "--show", "--batch-count", "2"})), "report");
  EXPECT_EQ(report["pictures"][1]["file"], "a-0001.png");
  EXPECT_EQ(report["pictures"][1]["seed"], 6);
  EXPECT_EQ(report["made"], 2);
}

TEST(Generate, ShowDrawsHalfBlocks) {
  const std::string shown = Workplace().results(draw("a.png", {"--show"}));
  EXPECT_TRUE(contains(shown, "\x1b[38;2;") && contains(shown, "▀")) << shown.substr(0, 100);
  EXPECT_TRUE(shown.ends_with("a.png\n"));
}

TEST(Generate, ADrawnSeedIsRecorded) {
  const Workplace place;
  place.results({"generate", "-q", "-p", "a big lion", "--steps", "2", "-o", "a.png"});
  const auto seed = parse_json(text_chunk(place / "a.png", "negativa"), "recipe")["seed"].get<uint64_t>();
  place.results(draw("b.png", {"-s", std::to_string(seed)}));
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

}  // namespace negativa::test
