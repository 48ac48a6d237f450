#include <gtest/gtest.h>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "engine/records.h"
#include "engine/test_engine.h"
#include "jobs/generate.h"

namespace negativa {

namespace {

const std::string models = std::string(NEGATIVA_SOURCE_DIR) + "/models";
const std::string goldens = std::string(NEGATIVA_SOURCE_DIR) + "/tests/golden";

// What `generate` writes beside a picture of these options.
TextChunks text_of(const ModelOptions& model, PictureOptions picture) {
  Session session = test::session(model);
  picture = session.resolved(picture);
  return picture_text(picture, picture_recipe(session, picture, run_inputs(session, {picture})));
}

}  // namespace

TEST(SetFromPicture, GivesItsRecipeAgain) {
  ModelOptions model;
  model.device = "cpu";
  PictureOptions picture;
  picture.prompt = "a big lion";
  picture.negative_prompt = "wrong, \"ugly\"";
  picture.steps = 20;
  picture.cfg_scale = 4.5;
  picture.seed = 7;
  const TemporaryFolder folder;
  model.vae = models + "/emoji-xl/vae";
  picture.lora = {goldens + "/lora_kohya.safetensors:0.5:negative"};
  picture.original_size = "32x48";
  EXPECT_FALSE(contains(text_of(model, picture)[1].second, "prediction_type") ||
               contains(text_of(model, picture)[1].second, "zero_snr"))
      << "older recipes have neither";
  model.prediction_type = "v_prediction";
  for (const bool zero_snr : {false, true}) {
    model.zero_snr = zero_snr;
    model.refiner = zero_snr ? "" : models + "/emoji-xl/refiner";  // which was not trained to it
    const auto chunks = text_of(model, picture);
    GenerateOptions again;
    again.output.from = folder / "a.png";
    write_atomically(again.output.from, encode_png(Image8::filled(8, 8, white), chunks));
    Fields fields = fields_of(again);
    set_from_text(*find_field(fields, "lora"), goldens + "/lora_kohya.safetensors", {Source::flag, "--lora"});
    set_from_picture(fields, again, test::engine());
    EXPECT_EQ(again.picture.prompt, picture.prompt);
    EXPECT_EQ(again.picture.lora, picture.lora);
    EXPECT_EQ(again.model.prediction_type, "v_prediction");
    EXPECT_EQ(again.model.zero_snr, zero_snr);
    EXPECT_EQ(text_of(again.model, again.picture), chunks);
  }
}

}  // namespace negativa
