#include "lora/training_metadata.h"

#include <ctime>

#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/sha256.h"

namespace negativa {

namespace {

// "2023-07-20T12:00:00", UTC.
std::string iso_8601(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
  return text;
}

// As Python prints them: readers of these fields are Python programs.
std::string python(double number) {
  const std::string text = fmt::format("{}", number);
  return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}
std::string python(bool value) { return value ? "True" : "False"; }
std::string python(int64_t number) { return std::to_string(number); }
std::string python(const std::optional<double>& number) { return number ? python(*number) : "None"; }

// kohya draws 32 bits for each run; here the run's own recipe decides them.
std::string session_id(const TrainingFacts& facts, int64_t time) {
  const auto digest = sha256_hex(sha256_hex(facts.recipe_json) + " " + std::to_string(time));
  return std::to_string(std::stoul(digest.substr(0, 8), nullptr, 16));
}

std::string tag_frequency(const TrainingFacts& facts) {
  Json tags = Json::object();
  for (const auto& [tag, count] : facts.tag_frequency) tags[tag] = count;
  if (tags.empty()) return "{}";
  // kohya's folders are called REPEATS_NAME.
  return Json({{"1_" + facts.output_name, tags}}).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// As kohya's --network_args, whose values are texts.
std::string network_args(const TrainingFacts& facts) {
  Json args = Json::object();
  if (!facts.targets.empty()) args["targets"] = facts.targets;
  if (facts.conv_rank) args["conv_dim"] = python(*facts.conv_rank);
  if (facts.conv_alpha) args["conv_alpha"] = python(*facts.conv_alpha);
  if (facts.dora) {
    args["algo"] = "lora";
    args["dora_wd"] = "True";
  }
  return args.dump();
}

void add_training(const TrainingFacts& facts, Metadata& fields) {
  fields["ss_learning_rate"] = python(facts.learning_rate);
  fields["ss_unet_lr"] = python(facts.learning_rate);
  fields["ss_text_encoder_lr"] = python(facts.text_encoder_learning_rate);
  fields["ss_lr_scheduler"] = facts.lr_scheduler;
  fields["ss_lr_warmup_steps"] = python(facts.lr_warmup_steps);
  fields["ss_optimizer"] = facts.optimizer;
  fields["ss_max_grad_norm"] = python(facts.max_grad_norm);
  fields["ss_steps"] = python(facts.steps);
  fields["ss_max_train_steps"] = python(facts.max_train_steps);
  fields["ss_epoch"] = python(facts.epochs);
  fields["ss_num_epochs"] = python(facts.epochs);
  fields["ss_gradient_accumulation_steps"] = python(facts.gradient_accumulation);
  fields["ss_gradient_checkpointing"] = python(facts.gradient_checkpointing);
  fields["ss_seed"] = std::to_string(facts.seed);
  fields["ss_prior_loss_weight"] = python(facts.prior_weight);
  fields["ss_min_snr_gamma"] = facts.snr_gamma > 0 ? python(facts.snr_gamma) : "None";
  fields["ss_noise_offset"] = facts.noise_offset > 0 ? python(facts.noise_offset) : "None";
  fields["ss_loss_type"] = "l2";
  fields["ss_mixed_precision"] = facts.mixed_precision;
  fields["ss_full_fp16"] = "False";
  fields["ss_zero_terminal_snr"] = "False";
}

void add_data(const TrainingFacts& facts, Metadata& fields) {
  fields["ss_num_train_images"] = python(facts.train_images);
  fields["ss_num_reg_images"] = python(facts.class_images);
  fields["ss_num_batches_per_epoch"] = python(facts.batches_per_epoch);
  fields["ss_batch_size_per_device"] = python(facts.batch_size);
  fields["ss_total_batch_size"] = python(facts.batch_size * facts.gradient_accumulation);
  fields["ss_resolution"] = fmt::format("({}, {})", facts.width_px, facts.height_px);
  fields["ss_cache_latents"] = python(facts.cache_latents);
  fields["ss_flip_aug"] = python(facts.flip);
  fields["ss_enable_bucket"] = "False";
  fields["ss_tag_frequency"] = tag_frequency(facts);
}

void add_identity(const TrainingFacts& facts, int64_t time, Metadata& fields) {
  fields["ss_output_name"] = facts.output_name;
  fields["ss_session_id"] = session_id(facts, time);
  fields["ss_training_started_at"] = python(static_cast<double>(time));
  fields["ss_training_finished_at"] = python(static_cast<double>(time));
  fields["ss_training_comment"] = facts.comment.empty() ? "None" : facts.comment;
  fields["ss_sd_model_name"] = facts.base_model;
  if (!facts.base_model_sha256.empty()) fields["ss_new_sd_model_hash"] = facts.base_model_sha256;
  fields["ss_v2"] = "False";
  fields["ss_base_model_version"] = "sdxl_base_v1-0";
  fields["ss_network_module"] = facts.dora ? "lycoris.kohya" : "networks.lora";
  if (facts.rank) fields["ss_network_dim"] = python(*facts.rank);
  if (facts.alpha) fields["ss_network_alpha"] = python(*facts.alpha);
  fields["ss_network_dropout"] = "None";
  fields["ss_network_args"] = network_args(facts);
}

void add_specification(const TrainingFacts& facts, const char* kind, int64_t time, Metadata& fields) {
  fields["modelspec.sai_model_spec"] = "1.0.1";
  fields["modelspec.architecture"] = std::string("stable-diffusion-xl-v1-base/") + kind;
  fields["modelspec.implementation"] = "https://github.com/Stability-AI/generative-models";
  fields["modelspec.implementation_version"] = "negativa/" + Recipe::default_program_version();
  fields["modelspec.title"] = facts.output_name;
  fields["modelspec.resolution"] = fmt::format("{}x{}", facts.width_px, facts.height_px);
  fields["modelspec.date"] = iso_8601(time);
  fields["modelspec.prediction_type"] = facts.prediction_type;
  if (facts.trigger_phrase.empty()) return;
  fields["modelspec.trigger_phrase"] = facts.trigger_phrase;
  if (facts.is_negative) fields["modelspec.usage_hint"] = fmt::format("put '{}' in the negative prompt", facts.trigger_phrase);
}

void add_recipe(const TrainingFacts& facts, Metadata& fields) {
  if (facts.recipe_json.empty()) return;
  fields[metadata_recipe] = facts.recipe_json;
  fields["negativa.recipe_sha256"] = sha256_hex(facts.recipe_json);
}

}  // namespace

Metadata training_metadata(const TrainingFacts& facts) {
  const int64_t time = facts.date_s;
  Metadata fields = {{"format", "pt"}};
  add_identity(facts, time, fields);
  add_training(facts, fields);
  add_data(facts, fields);
  add_specification(facts, "lora", time, fields);
  add_recipe(facts, fields);
  return fields;
}

Metadata embedding_metadata(const TrainingFacts& facts) {
  Metadata fields = {{"format", "pt"}};
  add_specification(facts, "textual-inversion", facts.date_s, fields);
  if (facts.is_negative) fields["modelspec.is_negative_embedding"] = "true";
  add_recipe(facts, fields);
  return fields;
}

}  // namespace negativa
