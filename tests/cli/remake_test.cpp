// --from: a picture carries all that makes it again.
#include "base/files.h"
#include "program.h"

namespace negativa::test {

namespace {

struct Remake : testing::Test {
  Workplace place;

  // a.png with that file as wrong.safetensors of the folder `loras`.
  void make_with_lora() {
    std::filesystem::create_directories(place / "loras");
    std::filesystem::copy_file(golden("lora_kohya.safetensors"), place / "loras/wrong.safetensors");
    make({"--lora", "loras/wrong.safetensors:0.1:negative", "-n", "wrong"});
  }
  void make(Workplace::Arguments more) {
    Workplace::Arguments args{"generate", "-q", "-p", "a big lion", "--steps", "2", "-s", "5", "-o", "a.png"};
    args.insert(args.end(), more.begin(), more.end());
    place.results(args);
  }
  Ran again(Workplace::Arguments more = {}) {
    Workplace::Arguments args{"generate", "-q", "--from", "a.png", "-o", "b.png"};
    args.insert(args.end(), more.begin(), more.end());
    std::filesystem::remove(place / "b.png");
    return place.run(args);
  }
  // One line, exit code 2, no picture.
  std::string refused(Workplace::Arguments more = {}) {
    const Ran ran = again(more);
    EXPECT_EQ(ran.exit_code, 2) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(place / "b.png"));
    return ran.err;
  }
  Json settings(const std::string& name) { return parse_json(text_chunk(place / name, "negativa"), name)["settings"]; }
  // a.png with another recipe.
  void edit_recipe(const std::function<void(Json&)>& edit) {
    const PngFile png = read_png(place / "a.png");
    Json recipe = parse_json(text_chunk(place / "a.png", "negativa"), "recipe");
    edit(recipe);
    write_atomically(place / "a.png", encode_png(png.image, {{"negativa", recipe.dump()}}));
  }
};

}  // namespace

// A picture that a machine with fewer instructions has made.
TEST_F(Remake, ComputesWithTheInstructionsOfThePicture) {
  make({"--isa", "baseline"});
  const auto isa_of = [&](const std::string& name) { return parse_json(text_chunk(place / name, "negativa"), name)["isa"]; };
  EXPECT_EQ(isa_of("a.png"), "baseline");
  EXPECT_EQ(again().exit_code, 0);
  EXPECT_EQ(place.read("b.png"), place.read("a.png"));
  edit_recipe([](Json& recipe) { recipe["isa"] = "avx1024"; });
  EXPECT_TRUE(contains(refused(), "avx1024"));
}

TEST_F(Remake, GivesTheSameBytes) {
  make({"-n", "", "--sampler", "euler_ancestral", "--refiner", bundled("refiner"), "--refiner-start", "0.5", "--guidance-rescale",
        "0.3", "--original-size", "32x48", "--vae", bundled("vae")});
  EXPECT_EQ(again({"--vae", bundled("vae")}).err, "");
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

TEST_F(Remake, KeepsTheNegativePromptsOwnGuidance) {
  std::filesystem::create_directories(place / "loras");
  std::filesystem::copy_file(golden("lora_kohya.safetensors"), place / "loras/wrong.safetensors");
  make({"--lora", "loras/wrong.safetensors:0.1:negative", "-n", "wrong", "--negative-scale", "1.5", "--negative-interval",
        "0:0.6"});
  EXPECT_EQ(settings("a.png")["negative_scale"], 1.5);
  EXPECT_EQ(again({"--lora", "loras/wrong.safetensors"}).err, "");
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
  again({"--lora", "loras/wrong.safetensors", "--negative-scale", "2"});
  EXPECT_NE(place.read("a.png"), place.read("b.png"));
}

TEST_F(Remake, KeepsTheLargestSeedThroughFileAndPicture) {
  const Json plan = parse_json(place.results({"generate", "-p", "a big lion", "--steps", "2", "-s", "18446744073709551615", "-o",
                                              "a.png", "--json", "-q"}),
                               "report");
  EXPECT_EQ(plan["pictures"][0]["seed"].dump(), "18446744073709551615");
  EXPECT_TRUE(contains(text_chunk(place / "a.png", "parameters"), "Seed: 18446744073709551615,"));
  place.write("c.toml", place.results({"generate", "--from", "a.png", "--print-config"}));
  EXPECT_TRUE(contains(place.read("c.toml"), "seed = \"18446744073709551615\""));
  place.results({"generate", "-q", "--from", "a.png", "--config", "c.toml", "-o", "b.png"});
  EXPECT_TRUE(place.read("a.png") == place.read("b.png"));
}

TEST_F(Remake, FindsFilesWhoseNamesAreStoredInTheOtherFormOfUnicode) {  // as when a folder comes from macOS
  const std::string composed = "caf\xc3\xa9.safetensors", decomposed = "cafe\xcc\x81.safetensors";
  const auto loras = place / "loras";
  std::filesystem::create_directories(loras);
  std::filesystem::copy_file(golden("lora_kohya.safetensors"), loras / composed);
  make({"--lora", "loras/" + decomposed + ":0.1:negative", "-n", "wrong"});
  std::filesystem::rename(loras / composed, loras / decomposed);
  EXPECT_EQ(again({"--lora", "loras/" + composed}).err, "");
  EXPECT_TRUE(place.read("a.png") == place.read("b.png"));
}

TEST_F(Remake, KnowsTheTokenThatAnEmbeddingStores) {
  write_zeros(place / "first.safetensors", {{"<toy>", {64}}});  // diffusers writes a file an encoder
  write_zeros(place / "second.safetensors", {{"<toy>", {1, 96}}});
  const Ran ran = place.run({"generate", "-p", "a <toy>", "--embedding", "first.safetensors", "--embedding", "second.safetensors",
                             "--steps", "2", "-s", "5", "-o", "a.png"});
  EXPECT_TRUE(contains(ran.err, "--embedding first.safetensors: write \"<toy>\", as the file says, or \"first\"")) << ran.err;
  EXPECT_EQ(settings("a.png")["embedding"], Json({"first.safetensors", "second.safetensors"}));
  EXPECT_EQ(again({"--embedding", "first.safetensors", "--embedding", "second.safetensors"}).err, "");
  EXPECT_TRUE(place.read("a.png") == place.read("b.png"));
}

TEST_F(Remake, SaysWhatAFileIsThatIsNoPng) {
  std::filesystem::copy_file(golden("exif_1.jpg"), place / "a.png");
  EXPECT_TRUE(contains(refused(), "[--from] a.png is a JPEG picture, expected a PNG: other formats carry no recipe"));
}

TEST_F(Remake, KnowsAnAbsentNegativePromptFromAnEmptyOne) {
  make({});
  EXPECT_FALSE(settings("a.png").contains("negative_prompt"));
  again();
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

TEST_F(Remake, RecipesSayWhatWeightsAreInMemoryAndOlderOnesMayNot) {
  for (const std::string dtype : {"fp32", "text_encoder:fp32,text_encoder_2:fp32,unet:fp16,vae:fp32"}) {
    make(dtype == "fp32" ? Workplace::Arguments{} : Workplace::Arguments{"--weights-dtype", "unet:fp16"});
    EXPECT_EQ(settings("a.png")["weights_dtype"], dtype);
    EXPECT_EQ(again().err, "");
    EXPECT_EQ(place.read("a.png"), place.read("b.png"));
  }
  make({});
  const std::string resolved = place.read("a.png");
  edit_recipe([](Json& recipe) { recipe["settings"]["weights_dtype"] = "auto"; });
  again();
  EXPECT_EQ(place.read("b.png"), resolved);
}

TEST_F(Remake, FindsALoraWhereItIsSaidToLie) {
  make_with_lora();
  EXPECT_TRUE(contains(refused(), "wrong.safetensors was not found; give it with --lora"));
  EXPECT_EQ(again({"--lora", "loras/wrong.safetensors"}).err, "");
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

TEST_F(Remake, AFlagChangesOnlyWhatItNames) {
  make_with_lora();
  again({"--lora", "loras/wrong.safetensors", "--cfg-scale", "3"});
  Json expected = settings("a.png");
  expected["cfg_scale"] = 3.0;
  EXPECT_EQ(settings("b.png")["prompt"], "a big lion");
  EXPECT_EQ(settings("b.png")["cfg_scale"], 3.0);
  EXPECT_EQ(settings("b.png")["lora"], expected["lora"]);
  EXPECT_EQ(settings("b.png")["seed"], 5);
  EXPECT_NE(picture(place / "a.png"), picture(place / "b.png"));
}

TEST_F(Remake, ALoraTypedWithAWeightOrOfAnotherNameReplacesTheRecipes) {
  make_with_lora();
  again({"--lora", "loras/wrong.safetensors:0.3"});
  EXPECT_EQ(settings("b.png")["lora"], Json({"wrong.safetensors:0.3:both"}));
  std::filesystem::remove(place / "loras/wrong.safetensors");
  again({"--lora", golden("lora_kohya.safetensors").string() + ":0.2"});
  EXPECT_EQ(settings("b.png")["lora"], Json({"lora_kohya.safetensors:0.2:both"}));
}

TEST_F(Remake, ALoraOfThatNameWithAnotherContentIsRefused) {
  make_with_lora();
  std::filesystem::copy_file(golden("lora_diffusers.safetensors"), place / "loras/wrong.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  const std::string message = refused({"--lora", "loras/wrong.safetensors"});
  EXPECT_TRUE(contains(message, "wrong.safetensors found here is another file") && contains(message, "SHA-256")) << message;
}

TEST_F(Remake, ARecipeNeverNamesAPlace) {
  make_with_lora();
  for (const char* name : {"../loras/wrong.safetensors", "/etc/passwd", "..", "", "loras/wrong.safetensors"}) {
    edit_recipe([&](Json& recipe) { recipe["inputs"][1]["name"] = name; });
    EXPECT_TRUE(contains(refused(), "expected a plain file name")) << name;
  }
}

TEST_F(Remake, ARecipeSetsNothingButAPicture) {
  make({});
  for (const char* key : {"out", "save_tensors", "model", "no_such_thing"}) {
    edit_recipe([&](Json& recipe) { recipe["settings"][key] = "stolen"; });
    EXPECT_TRUE(contains(refused(), "sets \"" + std::string(key) + "\"")) << key;
    edit_recipe([&](Json& recipe) { recipe["settings"].erase(key); });
  }
  edit_recipe([](Json& recipe) { recipe["settings"]["lora"] = Json({"/etc/passwd:1:both"}); });
  EXPECT_TRUE(contains(refused(), "not among its inputs"));
}

TEST_F(Remake, APictureWithoutARecipeIsRefused) {
  write_atomically(place / "a.png", encode_png(Image8::filled(8, 8, white)));
  EXPECT_TRUE(contains(refused(), "carries no recipe"));
  place.write("a.png", "GIF89a");
  EXPECT_TRUE(contains(refused(), "a.png"));
}

TEST_F(Remake, APictureOfTheWebuiGivesItsSettings) {
  std::filesystem::create_directories(place / "loras");
  std::filesystem::copy_file(golden("lora_kohya.safetensors"), place / "loras/wrong.safetensors");
  const auto webui = [&](const std::string& model) {
    write_atomically(place / "a.png", encode_png(Image8::filled(8, 8, white),
                                                 {{"parameters",
                                                   "a (big:1.2) lion <lora:wrong:0.1>\nSteps: 2, Sampler: Euler a, Schedule "
                                                   "type: Karras, CFG scale: 3, Seed: 5, Size: 64x64, Model: " +
                                                       model + ", Hires upscale: 2"}}));
  };
  webui("emoji-xl");
  EXPECT_TRUE(contains(refused(), "the lora \"wrong\" was not found; give it with --lora"));
  const Ran ran = place.run({"generate", "--from", "a.png", "--lora", "loras/wrong.safetensors", "-o", "b.png"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.err, "not as in a.png: Hires upscale: 2 (there is no second, larger pass here)")) << ran.err;
  const Json got = settings("b.png");
  EXPECT_EQ(got["prompt"], "a (big)1.2 lion");
  EXPECT_EQ(got["lora"], Json({"wrong.safetensors:0.1:both"}));
  EXPECT_EQ(got["sampler"], "euler_ancestral");
  EXPECT_EQ(got["schedule"], "karras");
  EXPECT_EQ(got["cfg_scale"], 3.0);
  again({"--lora", "loras/wrong.safetensors:0.3", "--cfg-scale", "2"});
  EXPECT_EQ(settings("b.png")["lora"], Json({"wrong.safetensors:0.3:both"}));
  EXPECT_EQ(settings("b.png")["cfg_scale"], 2.0);
  webui("../../etc/passwd/juggernaut");
  EXPECT_TRUE(
      contains(refused({"--lora", "loras/wrong.safetensors"}), "the model \"juggernaut\" was not found; give it with -m"));
  EXPECT_EQ(again({"-m", "emoji-xl", "--lora", "loras/wrong.safetensors"}).exit_code, 0);
}

TEST_F(Remake, AGraphOfComfyUIThatIsNotCertainIsNotFound) {
  write_atomically(place / "a.png",
                   encode_png(Image8::filled(8, 8, white), {{"prompt", R"({"1": {"class_type": "SaveImage", "inputs":
    {"images": ["2", 0]}}, "2": {"class_type": "FaceDetailer", "inputs": {}}})"}}));
  EXPECT_TRUE(contains(refused(), "settings are not found: a node \"FaceDetailer\" stands between")) << refused();
}

TEST_F(Remake, TwoFilesOfOneNameAreRefused) {
  std::filesystem::create_directories(place / "one");
  std::filesystem::copy_file(golden("lora_kohya.safetensors"), place / "one/wrong.safetensors");
  std::filesystem::copy_file(golden("lora_diffusers.safetensors"), place / "wrong.safetensors");
  const Ran ran =
      place.run({"generate", "-q", "-p", "x", "--steps", "1", "--lora", "wrong.safetensors", "--lora", "one/wrong.safetensors"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_TRUE(contains(ran.err, "rename one")) << ran.err;
}

TEST_F(Remake, FindsALoraFolderWrittenWithASlash) {
  make({"--lora", golden("lora_peft").string() + "/:0.1"});
  EXPECT_EQ(settings("a.png")["lora"], Json({"lora_peft:0.1:both"}));
  EXPECT_EQ(again({"--lora", golden("lora_peft").string() + "/"}).err, "");
  EXPECT_EQ(place.read("a.png"), place.read("b.png"));
}

}  // namespace negativa::test
