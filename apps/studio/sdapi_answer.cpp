#include <algorithm>
#include <ctime>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/text.h"
#include "image/image.h"
#include "schedule/names.h"
#include "sdapi_request.h"
#include "web/base64.h"

namespace negativa::studio {

namespace {

namespace fs = std::filesystem;

constexpr uint64_t largest_picture_bytes = uint64_t{1} << 30;

struct Drawn {
  std::string bytes, infotext;
  uint64_t seed = 0;
  Recipe recipe;
};

// Those that are there: of an interrupted job not all are.
std::vector<Drawn> drawn_in(const fs::path& folder, uint64_t pictures) {
  std::vector<Drawn> all;
  for (uint64_t i = 0; i < pictures; ++i) {
    const fs::path file = folder / fmt::format("{:04}.png", i);
    if (!fs::exists(file)) continue;
    Drawn drawn;
    drawn.bytes = read_file(file, largest_picture_bytes);
    for (const auto& [key, text] : read_png_text(file)) {
      if (key == names::png_parameters) drawn.infotext = text;
      if (key == names::png_recipe) drawn.recipe = Recipe::from_text(text, "picture");
    }
    drawn.seed = drawn.recipe.seed;
    all.push_back(std::move(drawn));
  }
  return all;
}

const RecipeInput* input_of(const Recipe& recipe, const std::string& role) {
  const auto found =
      std::find_if(recipe.inputs.begin(), recipe.inputs.end(), [&](const auto& input) { return input.role == role; });
  return found == recipe.inputs.end() ? nullptr : &*found;
}

// "20261126191155", UTC.
std::string timestamp(int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[16];
  return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts)};
}

// The settings that were drawn with, under the webui's names.
Json settings_of(const Recipe& recipe) {
  const Json settings = parse_json(recipe.settings_json, "recipe");
  const auto text = [&](const char* key) { return get_or<std::string>(settings, key, "", "recipe"); };
  const RecipeInput *model = input_of(recipe, "model"), *vae = input_of(recipe, "vae");
  return {{"width", settings.at("width")},
          {"height", settings.at("height")},
          {"steps", settings.at("steps")},
          {"cfg_scale", settings.at("cfg_scale")},
          {"sampler_name", webui_sampler_name(text("sampler"))},
          {"scheduler", webui_grid_name(text("schedule"))},
          {"sd_model_name", model ? Json(model->name) : Json()},
          {"sd_model_hash", model ? Json(model->sha256.substr(0, 10)) : Json()},
          {"sd_vae_name", vae ? Json(vae->name) : Json()}};
}

Json info_of(const SdRequest& request, const JobRecord& record, const std::vector<Drawn>& all) {
  const Json settings = settings_of(all.front().recipe);
  Json info = settings;
  info.erase("scheduler");
  info["prompt"] = request.prompt;
  info["negative_prompt"] = request.negative_prompt;
  info["seed"] = all.front().seed;
  for (const auto& drawn : all) {
    info["all_prompts"].push_back(request.prompt);
    info["all_negative_prompts"].push_back(request.negative_prompt);
    info["all_seeds"].push_back(drawn.seed);
    info["all_subseeds"].push_back(-1);
    info["infotexts"].push_back(drawn.infotext);
  }
  info["subseed"] = -1;
  info["subseed_strength"] = 0;
  info["batch_size"] = request.batch_size;
  info["index_of_first_image"] = 0;
  info["styles"] = Json::array();
  info["extra_generation_params"] = {{"Schedule type", settings["scheduler"]}};
  info["job_timestamp"] = timestamp(record.began_ms);
  info["version"] = "negativa " + all.front().recipe.program_version;
  info["interrupted"] = record.state == JobState::cancelled;
  info["not_honoured"] = request.not_honoured;
  info["model_defaults"] = Json::object();
  for (const auto& name : request.left_to_model) info["model_defaults"][name] = settings[name];
  std::vector<std::string> notices = request.notices;
  notices.insert(notices.end(), record.notices.begin(), record.notices.end());
  info["notices"] = notices;
  return info;
}

// What a failed job's error is over HTTP.
int status_of(const std::string& kind) {
  return kind == web::kind_name(ErrorKind::device) || kind == web::kind_name(ErrorKind::machine) ? 500 : 400;
}

// Names and numbers alone, so it fits a header.
std::string header_of(const Json& model_defaults) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : model_defaults.items())
    parts.push_back(name + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
  return joined(parts, ", ");
}

}  // namespace

web::Response sd_error(int status, const std::string& kind, const std::string& message) {
  web::Response response = web::error_response(status, kind, message);
  Json body = parse_json(response.body, "error");
  body["detail"] = body["error"]["message"];
  response.body = body.dump();
  return response;
}

web::Response sd_error_of_current_exception() {
  const web::Response response = web::error_response_of_current_exception();
  const Json error = parse_json(response.body, "error")["error"];
  return sd_error(response.status, error["kind"], error["message"]);
}

web::Response sd_answer(const SdRequest& request, const JobRecord& record, const fs::path& folder) {
  if (record.state == JobState::failed) return sd_error(status_of(record.error_kind), record.error_kind, record.error);
  if (!record.is_over()) return sd_error(503, "machine", "[studio] is ending; ask again when it runs");
  const auto all = drawn_in(folder, request.pictures);
  if (all.empty()) {
    check(record.state == JobState::cancelled, ErrorKind::machine, "[request] its pictures are not there any more");
    return sd_error(409, web::kind_name(ErrorKind::cancelled), "[request] was interrupted before a picture was finished");
  }
  const Json info = info_of(request, record, all);
  Json images = Json::array();
  if (request.sends_images)
    for (const auto& drawn : all) images.push_back(web::base64_from(drawn.bytes));
  web::Response response = web::json_response({{"images", std::move(images)},
                                               {"parameters", request.parameters},
                                               {"info", info.dump(-1, ' ', false, Json::error_handler_t::replace)}});
  if (!request.not_honoured.empty()) response.headers.emplace_back(not_honoured_header, joined(request.not_honoured, ", "));
  if (!request.left_to_model.empty()) response.headers.emplace_back(left_to_model_header, header_of(info["model_defaults"]));
  return response;
}

}  // namespace negativa::studio
