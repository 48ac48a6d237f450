#include "sdapi_request.h"

#include <algorithm>
#include <random>

#include "base/json.h"
#include "base/text.h"
#include "jobs/generate.h"
#include "sdapi_fields.h"
#include "sdapi_names.h"

namespace negativa::studio {

namespace {

constexpr int64_t most_pictures = 100;  // they are answered in one text

std::string text_of(const Json& body, const std::string& name) {
  const Json& value = sd_value(body, name);
  return value.is_null() ? "" : value.get<std::string>();
}

bool flag_of(const Json& body, const std::string& name, bool fallback) {
  const Json& value = sd_value(body, name);
  return value.is_null() ? fallback : value.get<bool>();
}

int64_t count_of(const Json& body, const std::string& name, int64_t least, int64_t most, int64_t fallback) {
  const Json& value = sd_value(body, name);
  if (value.is_null()) return fallback;
  const bool fits = json_holds<int64_t>(value) && value.get<int64_t>() >= least && value.get<int64_t>() <= most;
  check(fits, ErrorKind::input, "[{} in request] got {}, expected an integer in {}..{}", name, json_excerpt(value), least, most);
  return value.get<int64_t>();
}

// Words that mean the model's own: clients fill in what the webui shows in its menus.
bool means_none(const std::string& name) {
  const std::string lower = ascii_lower(name);
  return lower.empty() || lower == "automatic" || lower == "none";
}

void set_sampler(SdRequest& request, const Json& body) {
  const std::string name = text_of(body, "sampler_name");
  const SamplerChoice chosen = sd_sampler(name.empty() ? text_of(body, "sampler_index") : name, text_of(body, "scheduler"));
  if (chosen.sampler)
    request.settings["sampler"] = *chosen.sampler;
  else
    request.left_to_model.push_back("sampler_name");
  if (chosen.schedule)
    request.settings["schedule"] = *chosen.schedule;
  else
    request.left_to_model.push_back("scheduler");
}

void set_seeds(SdRequest& request, const Json& body) {
  request.batch_size = static_cast<uint64_t>(count_of(body, "batch_size", 1, most_pictures, 1));
  request.pictures = request.batch_size * static_cast<uint64_t>(count_of(body, "n_iter", 1, most_pictures, 1));
  check(request.pictures <= uint64_t{most_pictures}, ErrorKind::input,
        "[n_iter in request] with batch_size gives {} pictures, expected at most {} a request", request.pictures, most_pictures);
  request.settings["batch_count"] = request.pictures;
  const Json& seed = sd_value(body, "seed");
  const bool is_minus_one = json_holds<int64_t>(seed) && seed.get<int64_t>() == -1;  // "==" takes 2^64 - 1 for it
  if (seed.is_null() || is_minus_one) {
    std::random_device device;
    request.seed = device();
  } else {
    check(json_holds<uint64_t>(seed), ErrorKind::input, "[seed in request] got {}, expected -1 or an integer in 0..{}",
          json_excerpt(seed), std::numeric_limits<uint64_t>::max());
    request.seed = seed.get<uint64_t>();
  }
  seed_plus(request.seed, request.pictures - 1);
  request.settings["seed"] = request.seed;
}

// Tags of LoRAs are taken out; embeddings that are named are brought along, as the webui knows all that lie in its folder.
void set_prompts(SdRequest& request, const Json& body, const Inventory& inventory) {
  const auto loras = sd_items(inventory, "lora");
  std::string prompt = request.prompt = text_of(body, "prompt");
  std::string negative = request.negative_prompt = text_of(body, "negative_prompt");
  std::vector<std::string> tags = take_lora_tags(prompt, loras, "");
  const auto negative_tags = take_lora_tags(negative, loras, ":negative");
  if (!negative_tags.empty())
    request.notices.push_back("LoRAs in the negative prompt act on the negative branch alone: " + joined(negative_tags, ", "));
  tags.insert(tags.end(), negative_tags.begin(), negative_tags.end());
  request.settings["prompt"] = prompt;
  if (!negative.empty()) request.settings["negative_prompt"] = negative;  // the webui knows no prompt that is given and empty
  if (!tags.empty()) request.settings["lora"] = tags;
  std::vector<std::string> words;
  for (const auto& item : named_in(prompt + "\n" + negative, sd_items(inventory, "embedding"))) {
    words.push_back(item.file.reference);
    request.notices.push_back(fmt::format("\"{}\" stands for the embedding {}", item.name, item.file.reference));
  }
  if (!words.empty()) request.settings["embedding"] = words;
}

void set_model(SdRequest& request, const Json& body, const Inventory& inventory) {
  if (const Json& overrides = sd_value(body, "override_settings"); overrides.is_object()) {
    set_options(request.options, overrides, inventory);
    const auto names = not_honoured(overrides, sd_option_fields(), "override_settings.");
    request.not_honoured.insert(request.not_honoured.end(), names.begin(), names.end());
    request.keeps_options = !flag_of(body, "override_settings_restore_afterwards", true);
  }
  if (!request.options.model.empty()) request.settings["model"] = request.options.model;
  if (!request.options.vae.empty()) request.settings["vae"] = request.options.vae;
  const std::string refiner = text_of(body, "refiner_checkpoint");
  if (means_none(refiner)) return;
  request.settings["refiner"] =
      sd_item(sd_items(inventory, "model"), refiner, {"model", "refiner_checkpoint in request"}).file.reference;
  const Json& start = sd_value(body, "refiner_switch_at");
  if (!start.is_null()) request.settings["refiner_start"] = start;
}

}  // namespace

void set_options(SdOptions& options, const Json& given, const Inventory& inventory) {
  check_types(given, sd_option_fields());
  SdOptions changed = options;
  if (!sd_value(given, "show_progress_every_n_steps").is_null())  // -1 is the webui's "never"
    changed.preview_every = std::max<int64_t>(0, count_of(given, "show_progress_every_n_steps", -1, 1000, 0));
  if (!sd_value(given, "sd_model_checkpoint").is_null()) {
    const std::string name = text_of(given, "sd_model_checkpoint");
    const std::string where = "sd_model_checkpoint in request";
    changed.model = means_none(name) ? "" : sd_item(sd_items(inventory, "model"), name, {"model", where}).file.reference;
  }
  if (!sd_value(given, "sd_vae").is_null()) {
    const std::string name = text_of(given, "sd_vae");
    changed.vae = means_none(name) ? "" : sd_item(sd_items(inventory, "vae"), name, {"VAE", "sd_vae in request"}).file.reference;
  }
  options = changed;
}

Json json_of(const SdOptions& options, const Inventory& inventory, const std::string& default_model) {
  const auto name_of = [&](const char* kind, const std::string& reference) {
    for (const auto& item : sd_items(inventory, kind))
      if (item.file.reference == reference) return item.name;
    return reference;
  };
  return {{"sd_model_checkpoint", name_of("model", options.model.empty() ? default_model : options.model)},
          {"sd_vae", options.vae.empty() ? "Automatic" : name_of("vae", options.vae)},
          {"show_progress_every_n_steps", options.preview_every},
          {"samples_format", "png"}};
}

SdRequest sd_request(const Json& body, const SdOptions& options, const Inventory& inventory) {
  check_types(body, sd_drawing_fields());
  const std::string script = text_of(body, "script_name");
  check(script.empty() || script == "None", ErrorKind::input, "[script_name in request] there are no scripts here; leave it out");
  SdRequest request;
  request.settings = Json::object();
  request.parameters = Json::object();
  request.options = options;
  request.not_honoured = not_honoured(body, sd_drawing_fields());
  request.sends_images = flag_of(body, "send_images", true);
  for (const char* name : {"width", "height"})
    if (sd_value(body, name).is_null()) request.left_to_model.push_back(name);
  for (const char* name : {"steps", "cfg_scale", "width", "height"})
    if (const Json& value = sd_value(body, name); !value.is_null()) request.settings[name] = value;
  set_sampler(request, body);
  set_seeds(request, body);
  set_prompts(request, body, inventory);
  set_model(request, body, inventory);
  for (const auto& field : sd_drawing_fields())
    if (field.done && field.type != SdType::object && body.contains(field.name))
      request.parameters[field.name] = body[field.name];
  request.parameters["seed"] = request.seed;
  return request;
}

}  // namespace negativa::studio
