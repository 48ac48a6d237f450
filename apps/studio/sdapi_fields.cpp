#include "sdapi_fields.h"

#include <algorithm>

#include "base/json.h"

namespace negativa::studio {

namespace {

using enum SdType;

constexpr size_t most_names = 40, longest_name = 64;

constexpr SdField drawing_fields[] = {
    {"prompt", text, true},
    {"negative_prompt", text, true},
    {"seed", integer, true},
    {"steps", integer, true},
    {"cfg_scale", number, true},
    {"width", integer, true},
    {"height", integer, true},
    {"sampler_name", text, true},
    {"sampler_index", text, true},  // its old name
    {"scheduler", text, true},
    {"n_iter", integer, true},
    {"batch_size", integer, true},
    {"send_images", boolean, true},
    {"override_settings", object, true},
    {"override_settings_restore_afterwards", boolean, true},
    {"refiner_checkpoint", text, true},
    {"refiner_switch_at", number, true},
    {"script_name", text, true},                           // none is there: one that is named is refused
    {"save_images", boolean, false, "[true]"},             // all are kept
    {"do_not_save_samples", boolean, false, "[false]"},    // likewise
    {"do_not_save_grid", boolean, false, "[true,false]"},  // none is made
    {"styles", list, false, "[[]]"},
    {"subseed_strength", number, false, "[0]"},
    {"subseed", integer, false, "[-1]", "subseed_strength"},
    {"seed_resize_from_h", integer, false, "[0,-1]"},
    {"seed_resize_from_w", integer, false, "[0,-1]"},
    {"restore_faces", boolean, false, "[false]"},
    {"tiling", boolean, false, "[false]"},
    {"eta", number, false, "[1]"},
    {"s_churn", number, false, "[0]"},
    {"s_tmin", number, false, "[0]", "s_churn"},
    {"s_tmax", number, false, "[0]", "s_churn"},
    {"s_noise", number, false, "[1]"},
    {"s_min_uncond", number, false, "[0]"},
    {"enable_hr", boolean, false, "[false]"},
    {"denoising_strength", number, false, "[]", "enable_hr"},
    {"firstphase_width", integer, false, "[0]", "enable_hr"},
    {"firstphase_height", integer, false, "[0]", "enable_hr"},
    {"hr_scale", number, false, "[]", "enable_hr"},
    {"hr_upscaler", text, false, "[\"\"]", "enable_hr"},
    {"hr_second_pass_steps", integer, false, "[]", "enable_hr"},
    {"hr_resize_x", integer, false, "[0]", "enable_hr"},
    {"hr_resize_y", integer, false, "[0]", "enable_hr"},
    {"hr_checkpoint_name", text, false, "[\"\"]", "enable_hr"},
    {"hr_sampler_name", text, false, "[\"\"]", "enable_hr"},
    {"hr_scheduler", text, false, "[\"\"]", "enable_hr"},
    {"hr_prompt", text, false, "[\"\"]", "enable_hr"},
    {"hr_negative_prompt", text, false, "[\"\"]", "enable_hr"},
    {"disable_extra_networks", boolean, false, "[false]"},
    {"script_args", list, false, "[[]]"},
    {"alwayson_scripts", object, false, "[{}]"},
    {"comments", object, false, "[{}]"},
    {"force_task_id", text, false, "[\"\"]"},
    {"infotext", text, false, "[\"\"]"},
};

constexpr SdField option_fields[] = {
    {"sd_model_checkpoint", text, true},
    {"sd_vae", text, true},
    {"show_progress_every_n_steps", integer, true},
    {"samples_format", text, false, "[\"png\"]"},
    {"CLIP_stop_at_last_layers", integer, false, "[1,2]"},  // both are the second to last layer for SDXL, there as here
};

bool is_of(SdType type, const Json& value) {
  switch (type) {
    case text:
      return value.is_string();
    case integer:
      return value.is_number_integer();
    case number:
      return value.is_number();
    case boolean:
      return value.is_boolean();
    case list:
      return value.is_array();
    case object:
      return value.is_object();
  }
  return false;
}

const char* noun(SdType type) {
  constexpr const char* nouns[] = {"a text", "an integer", "a number", "true or false", "a list", "an object"};
  return nouns[static_cast<size_t>(type)];
}

const SdField* find(std::span<const SdField> fields, const std::string& name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const SdField& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool asks_something(const Json& body, const SdField& field, std::span<const SdField> fields) {
  const Json& value = sd_value(body, field.name);
  if (value.is_null()) return false;
  if (*field.within && !asks_something(body, *find(fields, field.within), fields)) return false;
  const Json nothing = Json::parse(field.asks_nothing);
  return std::find(nothing.begin(), nothing.end(), value) == nothing.end();
}

std::string shown_name(const std::string& name) {
  const bool plain = !name.empty() && name.size() <= longest_name && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
  });
  return plain ? name : fmt::format("(a name of {} bytes)", name.size());
}

}  // namespace

std::span<const SdField> sd_drawing_fields() { return drawing_fields; }
std::span<const SdField> sd_option_fields() { return option_fields; }

const Json& sd_value(const Json& body, const std::string& name) {
  static const Json null;
  const auto found = body.find(name);
  return found == body.end() ? null : *found;
}

Json sd_object(const std::string& body) {
  Json object;
  try {
    object = parse_json(body, "request");
  } catch (const Error&) {  // whose words hold a piece of it
    fail(ErrorKind::input, "[request] is not JSON, expected UTF-8, each key once, at most 64 levels deep");
  }
  check(object.is_object(), ErrorKind::input, "[request] is JSON but no object, expected one as {{\"prompt\": \"…\"}}");
  return object;
}

void check_types(const Json& body, std::span<const SdField> fields) {
  for (const auto& field : fields) {
    const Json& value = sd_value(body, field.name);
    check(value.is_null() || is_of(field.type, value), ErrorKind::input, "[{} in request] is {}, expected {}", field.name,
          value.is_string() ? "a text" : value.type_name(), noun(field.type));
  }
}

std::vector<std::string> not_honoured(const Json& body, std::span<const SdField> fields, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& field : fields)
    if (!field.done && asks_something(body, field, fields)) names.push_back(prefix + field.name);
  size_t unnamed = 0;
  for (const auto& [name, value] : body.items()) {
    if (find(fields, name)) continue;
    if (names.size() < most_names)
      names.push_back(prefix + shown_name(name));
    else
      ++unnamed;
  }
  if (unnamed > 0) names.push_back(fmt::format("and {} more", unnamed));
  return names;
}

}  // namespace negativa::studio
