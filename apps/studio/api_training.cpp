// What the page's trainings need: sets of pictures with their captions, the course of a run, drafts of forms.
#include <algorithm>
#include <charconv>

#include "api.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "image/image.h"
#include "library/names.h"
#include "train/presets.h"

namespace negativa::studio {

namespace {

namespace fs = std::filesystem;
using web::answering;
using web::json_response;
using web::Request;
using web::Response;

constexpr uint64_t largest_picture_bytes = uint64_t{256} << 20, largest_caption_bytes = 64 << 10, largest_draft_bytes = 64 << 10;
constexpr int thumbnail_px = 320;
constexpr size_t most_points = 1000;  // of a curve
constexpr const char* name_schema = R"({"type": "string", "minLength": 1, "maxLength": 100})";

// A name of its own below the library: no folder, no hidden file.
std::string plain(const std::string& name, const char* where) {
  const bool good = !name.empty() && name.size() <= 100 && valid_utf8(name) == name && !name.starts_with('.') &&
                    std::none_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == '/' || c == 0x7f; });
  check(good, ErrorKind::input, "[{}] got {}, expected a plain name of at most 100 bytes", where, json_excerpt(name));
  return name;
}

bool is_picture(const fs::path& file) {
  const std::string end = ascii_lower(file.extension().string());
  return end == ".png" || end == ".jpg" || end == ".jpeg" || end == ".webp";
}

fs::path sets_folder(const Api& api) { return api.library.folder() / library_names::files / library_names::sets; }
fs::path set_of(const Api& api, const Request& request) { return sets_folder(api) / plain(request.wild("set"), "set"); }

fs::path caption_file(const fs::path& picture) { return fs::path(picture).replace_extension(names::caption_extension); }

std::vector<fs::path> pictures_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none))
    if (is_picture(entry.path()) && !entry.path().filename().string().starts_with('.')) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

std::string without_ends(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

Json caption_of_picture(const fs::path& picture) {
  if (!fs::exists(caption_file(picture))) return {};
  return without_ends(valid_utf8(read_file(caption_file(picture), largest_caption_bytes)));
}

Json described(const fs::path& folder) {
  Json pictures = Json::array();
  for (const auto& file : pictures_in(folder))
    pictures.push_back(
        {{"file", file.filename().string()}, {"bytes", fs::file_size(file)}, {"caption", caption_of_picture(file)}});
  const std::string name = folder.filename().string();
  return {{"name", name}, {"reference", std::string("files/sets/") + name}, {"pictures", pictures}};
}

Response list_of_sets(const Api& api) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(sets_folder(api), none))
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  Json list = Json::array();
  for (const auto& name : names) {
    const Json set = described(sets_folder(api) / name);
    int64_t captions = 0;
    for (const auto& picture : set["pictures"]) captions += picture["caption"].is_string();
    list.push_back(
        {{"name", name}, {"reference", set["reference"]}, {"pictures", set["pictures"].size()}, {"captions", captions}});
  }
  return json_response(list);
}

// Kept under its name, or with a number where another picture has it; the same picture a second time is the one that is there.
Response add_to_set(const Api& api, const Request& request) {
  const fs::path folder = set_of(api, request);
  const fs::path given = plain(text_of(request, "name"), "name");
  check(is_picture(given), ErrorKind::input, "[name] got {}, expected a PNG, JPEG or WebP picture", json_excerpt(given.string()));
  const Image8 image = decode_image(request.body, given.string());
  make_folder(folder);
  fs::path file = folder / given;
  for (int i = 2; fs::exists(file) && read_file(file, largest_picture_bytes) != request.body; ++i)
    file = folder / fmt::format("{}-{}{}", given.stem().string(), i, given.extension().string());
  if (!fs::exists(file)) write_atomically(file, request.body);
  return json_response({{"file", file.filename().string()}, {"width", image.width}, {"height", image.height}}, 201);
}

// Does something with a picture of a set.
std::function<Response(const Request&)> with_picture(Api& api, std::function<Response(const Request&, const fs::path&)> act) {
  return [&api, act = std::move(act)](const Request& request) {
    const fs::path file = set_of(api, request) / plain(request.wild("file"), "file");
    if (!is_picture(file) || !fs::is_regular_file(file))
      return web::error_response(404, "input", "[file] there is no picture of this name in the set");
    return act(request, file);
  };
}

Response small_png(const fs::path& file) {
  const Image8 image = read_image(file);
  const double scale = std::min(1.0, double(thumbnail_px) / std::min(image.width, image.height));
  const auto side = [&](int px) { return std::clamp(static_cast<int>(px * scale), 1, 4 * thumbnail_px); };
  Response response;
  response.content_type = "image/png";
  response.body = encode_png(scale < 1 ? resize_for_display(image, side(image.width), side(image.height)) : image);
  response.headers.emplace_back("Cache-Control", "private, max-age=3600");
  return response;
}

Response set_caption(const Request& request, const fs::path& picture) {
  const Json body = object_of_body(request);
  check(body.size() == 1 && body.contains("caption") && body["caption"].is_string(), ErrorKind::input,
        "[caption in request] is needed, expected a text and nothing else");
  const std::string caption = without_ends(body["caption"].get<std::string>());
  std::error_code none;
  if (caption.empty())
    fs::remove(caption_file(picture), none);
  else
    write_atomically(caption_file(picture), caption + "\n");
  return json_response({{"file", picture.filename().string()}, {"caption", caption_of_picture(picture)}});
}

Response remove_picture(const fs::path& picture) {
  std::error_code error, none;
  fs::remove(picture, error);
  check(!error, ErrorKind::machine, "[file] cannot be removed: {}", error.message());
  fs::remove(caption_file(picture), none);
  return json_response({{"file", picture.filename().string()}});
}

// The first two columns of a CSV, thinned to what a curve can show; the last line stays.
Json curve_of(const fs::path& csv) {
  if (!fs::exists(csv)) return Json::array();
  std::vector<std::pair<int64_t, double>> points;
  for (const auto& line : split(read_file(csv), '\n')) {
    int64_t step = 0;
    double loss = 0;
    const char *begin = line.data(), *end = line.data() + line.size();
    const auto first = std::from_chars(begin, end, step);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != ',') continue;
    if (std::from_chars(first.ptr + 1, end, loss).ec == std::errc()) points.emplace_back(step, loss);
  }
  Json curve = Json::array();
  const size_t stride = std::max<size_t>(1, (points.size() + most_points - 1) / most_points);
  for (size_t i = 0; i < points.size(); ++i)
    if (i % stride == 0 || i + 1 == points.size()) curve.push_back({points[i].first, points[i].second});
  return curve;
}

Json steps_in(const fs::path& folder, const std::string& begin, const std::string& end) {
  std::vector<int64_t> steps;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(begin) || !name.ends_with(end)) continue;
    int64_t step = 0;
    const char* last = name.data() + name.size() - end.size();
    const auto [ptr, error] = std::from_chars(name.data() + begin.size(), last, step);
    if (error == std::errc() && ptr == last) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path run_folder(const Api& api, const Request& request) {
  const std::string& root = request.wild("root");
  check(root == library_names::loras || root == library_names::embeddings, ErrorKind::input,
        "[root] got {}, expected lora or embeddings", json_excerpt(root));
  return api.library.folder() / root / (plain(request.wild("name"), "name") + names::run_suffix);
}

Response course_of(const Api& api, const Request& request) {
  const fs::path folder = run_folder(api, request);
  return json_response({{"losses", curve_of(folder / names::losses_csv)},
                        {"validation", curve_of(folder / names::validation_csv)},
                        {"previews", steps_in(folder / names::previews_folder, "", ".png")},
                        {"checkpoints", steps_in(folder, names::checkpoint_prefix, ".safetensors")}});
}

Response preview_of_run(const Api& api, const Request& request) {
  const fs::path file = run_folder(api, request) / names::previews_folder / (plain(request.wild("step"), "step") + ".png");
  if (!fs::is_regular_file(file)) return web::error_response(404, "input", "[step] there is no preview of this step");
  Response response;
  response.content_type = "image/png";
  response.body = read_file(file, largest_picture_bytes);
  return response;
}

Response draft(const fs::path& file) {
  return json_response({{"draft", fs::exists(file) ? parse_json(read_file(file, largest_draft_bytes), "draft") : Json()}});
}

struct Adder {
  std::vector<Operation>& operations;

  Operation& add(const char* method, const std::string& pattern, const char* summary,
                 std::function<Response(const Request&)> answer, const std::vector<std::string>& known = {}) {
    Operation made;
    made.route.method = method;
    made.route.pattern = "/api/v1/" + pattern;
    made.route.handler = answering([answer = std::move(answer), known](const Request& request) {
      check_parameters(request, known);
      return answer(request);
    });
    made.route.body_bytes = 0;
    made.summary = summary;
    for (const auto& [name, help] :
         std::initializer_list<std::pair<const char*, const char*>>{{"set", "a set's name"},
                                                                    {"file", "a picture's file name"},
                                                                    {"root", "lora or embeddings"},
                                                                    {"name", "a trained file's name without its ending"},
                                                                    {"step", "the step in eight digits"},
                                                                    {"form", "a form's name"}})
      if (pattern.find(std::string("{") + name + "}") != std::string::npos)
        made.parameters.push_back({name, "path", help, name_schema});
    operations.push_back(std::move(made));
    return operations.back();
  }
};

void takes_json(Operation& operation, uint64_t bytes, const char* schema) {
  operation.route.body_bytes = bytes;
  operation.body_type = "application/json";
  operation.body_schema = schema;
}

void add_sets(Api& api, Adder adder) {
  adder.add("GET", "sets", "sets of pictures to train on", [&api](const Request&) { return list_of_sets(api); });
  adder.add("GET", "sets/{set}", "the pictures of a set and their captions",
            [&api](const Request& request) { return json_response(described(set_of(api, request))); });
  Operation& take = adder.add("POST", "sets/{set}", "adds a picture; makes the set where there is none",
                              [&api](const Request& request) { return add_to_set(api, request); }, {"name"});
  take.parameters.push_back({"name", "query", "its file name", R"({"type": "string"})"});
  take.route.body_bytes = largest_picture_bytes;
  take.body_type = "application/octet-stream";
  take.success = 201;
  adder
      .add("GET", "sets/{set}/{file}/thumbnail", "small, whole",
           with_picture(api, [](const Request&, const fs::path& file) { return small_png(file); }))
      .answer_type = "image/png";
  takes_json(adder.add("POST", "sets/{set}/{file}/caption", "what the picture shows; an empty text takes the caption away",
                       with_picture(api, set_caption)),
             largest_caption_bytes,
             R"({"type": "object", "additionalProperties": false, "required": ["caption"],
                 "properties": {"caption": {"type": "string"}}})");
  adder.add("DELETE", "sets/{set}/{file}", "takes a picture and its caption out of the set, for ever",
            with_picture(api, [](const Request&, const fs::path& file) { return remove_picture(file); }));
}

Response presets(const Api& api) {
  Json list = Json::array();
  const auto& roots = api.roots.roots();
  const auto bundled = std::find_if(roots.begin(), roots.end(), [](const auto& root) { return root.name == "bundled"; });
  if (bundled == roots.end()) return json_response(list);
  for (const auto& preset : training_presets(bundled->folder)) {
    const Json entry = {
        {"name", preset.name}, {"title", preset.title}, {"help", preset.help}, {"settings", read_toml_file(preset.file)}};
    list.push_back(entry);
  }
  return json_response(list);
}

}  // namespace

std::vector<Operation> training_operations(Api& api) {
  std::vector<Operation> operations;
  operations.reserve(17);  // references into it are kept while it is filled
  Adder adder{operations};
  add_sets(api, adder);
  adder.add("GET", "presets", "settings of train-lora that come with the program",
            [&api](const Request&) { return presets(api); });
  adder.add("GET", "trainings/{root}/{name}", "a training's losses, validation losses, previews and checkpoints",
            [&api](const Request& request) { return course_of(api, request); });
  adder
      .add("GET", "trainings/{root}/{name}/previews/{step}", "what was drawn at a step",
           [&api](const Request& request) { return preview_of_run(api, request); })
      .answer_type = "image/png";
  const auto draft_file = [&api](const Request& request) {
    return api.library.folder() / library_names::drafts / (plain(request.wild("form"), "form") + ".json");
  };
  adder.add("GET", "drafts/{form}", "what a form was left with",
            [draft_file](const Request& request) { return draft(draft_file(request)); });
  takes_json(adder.add("POST", "drafts/{form}", "keeps what a form shows",
                       [draft_file](const Request& request) {
                         const Json given = object_of_body(request);
                         make_folder(draft_file(request).parent_path());
                         write_atomically(draft_file(request), given.dump());
                         return draft(draft_file(request));
                       }),
             largest_draft_bytes, R"({"type": "object"})");
  return operations;
}

}  // namespace negativa::studio
