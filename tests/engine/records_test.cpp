#include "engine/records.h"

#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/temporary_folder.h"
#include "core/isa.h"
#include "engine/test_engine.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

const std::string models = std::string(NEGATIVA_SOURCE_DIR) + "/models";
const std::string goldens = std::string(NEGATIVA_SOURCE_DIR) + "/tests/golden";

// What `generate` writes beside a picture of these options.
TextChunks text_of(const ModelOptions& model, PictureOptions picture) {
  Session session = test::session(model);
  picture = session.resolved(picture);
  return picture_text(picture, picture_recipe(session, picture, run_inputs(session, {picture})));
}

struct Records : testing::Test {
  ModelOptions model;
  PictureOptions picture;
  Records() {
    model.device = "cpu";
    picture.prompt = "a big lion";
    picture.negative_prompt = "wrong, \"ugly\"";
    picture.steps = 20;
    picture.cfg_scale = 4.5;
    picture.seed = 7;
  }
};

}  // namespace

TEST_F(Records, ParametersAreTheWebuisInfotext) {
  const auto chunks = text_of(model, picture);
  ASSERT_EQ(chunks.size(), 2u);
  EXPECT_EQ(chunks[0].first, "parameters");
  const std::string hash = parse_json(chunks[1].second, "recipe")["inputs"][0]["sha256"].get<std::string>().substr(0, 10);
  EXPECT_EQ(
      chunks[0].second,
      "a big lion\nNegative prompt: wrong, \"ugly\"\nSteps: 20, Sampler: Euler, Schedule type: DDIM, CFG scale: 4.5, Seed: 7, "
      "Size: 64x64, Model hash: " +
          hash + ", Model: emoji-xl, Version: negativa " + Recipe::default_program_version() + ", Hashes: {\"model\":\"" + hash +
          "\"}");
}

TEST_F(Records, ParametersNameSchedulesAsTheWebuiDoes) {
  const std::pair<const char*, const char*> names[] = {{"trailing", "SGM Uniform"},
                                                       {"leading", "DDIM"},
                                                       {"linspace", "Uniform"},
                                                       {"karras", "Karras"},
                                                       {"exponential", "Exponential"}};
  Session session = test::session(model);
  const RunInputs inputs = run_inputs(session, {});
  for (const auto& [schedule, name] : names) {
    picture.schedule = schedule;
    const auto resolved = session.resolved(picture);
    const auto text = picture_text(resolved, picture_recipe(session, resolved, inputs));
    EXPECT_TRUE(contains(text[0].second, std::string("Schedule type: ") + name + ", ")) << text[0].second;
  }
}

TEST_F(Records, ParametersNameRefinerAndLoras) {
  model.refiner = models + "/emoji-xl/refiner";
  picture.lora = {goldens + "/lora_kohya.safetensors:0.5"};
  picture.sampler = "dpmpp_2m";
  picture.schedule = "karras";
  const std::string text = text_of(model, picture)[0].second;
  const std::string hash = sha256_file(goldens + "/lora_kohya.safetensors").substr(0, 10);
  for (const std::string& part : {std::string("Sampler: DPM++ 2M, Schedule type: Karras"), std::string("Refiner: refiner ["),
                                  std::string("Refiner switch at: 0.8"), "Lora hashes: \"lora_kohya: " + hash + "\"",
                                  "\"lora:lora_kohya\":\"" + hash + "\""})
    EXPECT_TRUE(contains(text, part)) << part << " in " << text;
}

TEST_F(Records, TheSameRequestGivesTheSameTextTwice) { EXPECT_EQ(text_of(model, picture), text_of(model, picture)); }

TEST_F(Records, ARecipeHoldsNoPathHostOrTime) {
  picture.lora = {goldens + "/lora_kohya.safetensors:0.5:negative", goldens + "/lora_peft/"};
  model.model = models + "/emoji-xl/";
  model.vae = models + "/emoji-xl/vae";
  const Json recipe = parse_json(text_of(model, picture)[1].second, "recipe");
  const std::string text = recipe.dump();
  EXPECT_FALSE(contains(text, "/")) << text;
  std::vector<std::string> keys;
  for (const auto& [key, value] : recipe.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"device", "dtype", "inputs", "isa", "program_version", "seed", "settings", "threads",
                                            "verb"}));
  EXPECT_EQ(recipe["isa"], isa_name(active_isa()));
  EXPECT_FALSE(recipe["settings"].contains("negative_scale"));
  EXPECT_FALSE(recipe["settings"].contains("negative_interval")) << "recipes of before are the same text";
  EXPECT_EQ(recipe["settings"]["lora"], Json({"lora_kohya.safetensors:0.5:negative", "lora_peft:1:both"}));
}

}  // namespace negativa
