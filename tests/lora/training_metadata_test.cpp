#include "lora/training_metadata.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "lora/inspect.h"
#include "lora/lora_writer.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

TrainingFacts facts() {
  TrainingFacts facts;
  facts.output_name = "wrong";
  facts.base_model = "emoji-xl";
  facts.base_model_sha256 = std::string(64, 'a');
  facts.trigger_phrase = "wrong";
  facts.is_negative = true;
  facts.rank = 4;
  facts.alpha = 2;
  facts.learning_rate = 1e-5;
  facts.seed = 18446744073709551615u;
  facts.steps = facts.max_train_steps = 500;
  facts.width_px = facts.height_px = 64;
  facts.train_images = 39;
  facts.batch_size = 2;
  facts.gradient_accumulation = 3;
  facts.tag_frequency = {{"wrong", 39}};
  facts.recipe_json = R"({"seed":1})";
  return facts;
}

}  // namespace

TEST(TrainingMetadata, SaysWhatKohyaSays) {
  const auto fields = training_metadata(facts());
  const Metadata expected = {{"ss_network_dim", "4"},
                             {"ss_network_alpha", "2.0"},
                             {"ss_learning_rate", "1e-05"},
                             {"ss_text_encoder_lr", "None"},
                             {"ss_seed", "18446744073709551615"},
                             {"ss_v2", "False"},
                             {"ss_resolution", "(64, 64)"},
                             {"ss_num_train_images", "39"},
                             {"ss_base_model_version", "sdxl_base_v1-0"},
                             {"ss_output_name", "wrong"},
                             {"ss_sd_model_name", "emoji-xl"},
                             {"ss_min_snr_gamma", "None"},
                             {"ss_batch_size_per_device", "2"},
                             {"ss_gradient_accumulation_steps", "3"},
                             {"ss_total_batch_size", "6"}};
  for (const auto& [key, value] : expected) EXPECT_EQ(fields.at(key), value) << key;
  EXPECT_EQ(nlohmann::json::parse(fields.at("ss_tag_frequency")), nlohmann::json({{"1_wrong", {{"wrong", 39}}}}));
  EXPECT_EQ(fields.at("negativa.recipe"), R"({"seed":1})");
}

TEST(TrainingMetadata, HasEveryFieldTheModelSpecificationAsksFor) {
  const auto fields = training_metadata(facts());
  for (const char* key : {"sai_model_spec", "architecture", "implementation", "title", "resolution", "date"})
    EXPECT_TRUE(fields.contains(std::string("modelspec.") + key)) << key;
  EXPECT_EQ(fields.at("modelspec.resolution"), "64x64");
  EXPECT_EQ(fields.at("modelspec.trigger_phrase"), "wrong");
  EXPECT_EQ(fields.at("modelspec.usage_hint"), "put 'wrong' in the negative prompt");
}

TEST(TrainingMetadata, AUsageHintIsOnlyGivenForNegativeLoras) {
  TrainingFacts positive = facts();
  positive.is_negative = false;
  EXPECT_FALSE(training_metadata(positive).contains("modelspec.usage_hint"));
  positive.trigger_phrase.clear();
  EXPECT_FALSE(training_metadata(positive).contains("modelspec.trigger_phrase"));
}

TEST(TrainingMetadata, TimesAreTheDateThatIsGivenAndNothingElse) {
  const auto none = training_metadata(facts());
  EXPECT_EQ(none, training_metadata(facts()));
  EXPECT_EQ(none.at("ss_training_started_at"), "0.0");
  EXPECT_EQ(none.at("modelspec.date"), "1970-01-01T00:00:00");
  TrainingFacts with_date = facts();
  with_date.date_s = 1700000000;
  const auto dated = training_metadata(with_date);
  EXPECT_EQ(dated.at("ss_training_finished_at"), "1700000000.0");
  EXPECT_EQ(dated.at("modelspec.date"), "2023-11-14T22:13:20");
  EXPECT_NE(dated.at("ss_session_id"), none.at("ss_session_id"));
  TrainingFacts other = with_date;
  other.recipe_json = R"({"seed":2})";
  EXPECT_NE(training_metadata(other).at("ss_session_id"), dated.at("ss_session_id"));
}

TEST(TrainingMetadata, IsWhatInspectShows) {
  const ScratchFolder folder;
  LoraFile lora;
  lora.modules = small_lora();
  write_lora(folder / "wrong.safetensors", lora, {LoraDialect::kohya, model_targets().layout, training_metadata(facts())});
  const auto report = inspect_lora(folder / "wrong.safetensors", nullptr);
  EXPECT_EQ(report.trigger, "wrong");
  EXPECT_EQ(report.metadata.at("sshs_model_hash"), report.data_sha256);
}

}  // namespace negativa
