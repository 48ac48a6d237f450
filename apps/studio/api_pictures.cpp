#include <charconv>

#include "api.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "image/picture_kind.h"
#include "library/names.h"
#include "open_rating.h"
#include "other_settings_answer.h"

namespace negativa::studio {

namespace {

using web::answering;
using web::json_response;
using web::Request;
using web::Response;

constexpr uint64_t largest_picture_bytes = uint64_t{256} << 20;
constexpr int thumbnail_px = 320;  // of the longer side

constexpr const char* picture_schema = R"({"type": "object", "required": ["name", "sha256"], "properties": {
  "name": {"type": "string"}, "sha256": {"type": "string"}, "bytes": {"type": "integer"}, "width": {"type": "integer"},
  "height": {"type": "integer"}, "made_ms": {"type": "integer"}, "prompt": {"type": "string"}, "negative_prompt": {"type": "string"},
  "model": {"type": "string"}, "loras": {"type": "string"}, "seed": {"type": "string"}, "damage": {"type": ["string", "null"]},
  "trashed": {"type": "boolean"}, "rating": {"type": "integer"}}})";

Json json_of(const GalleryPicture& picture) {
  return {{"name", picture.name},       {"sha256", picture.sha256},
          {"bytes", picture.bytes},     {"width", picture.width},
          {"height", picture.height},   {"made_ms", picture.made_ms},
          {"prompt", picture.prompt},   {"negative_prompt", picture.negative_prompt},
          {"model", picture.model},     {"loras", picture.loras},
          {"seed", picture.seed},       {"damage", picture.damage.empty() ? Json() : Json(picture.damage)},
          {"trashed", picture.trashed}, {"rating", picture.rating}};
}

std::string name_of(const Request& request) { return request.wild("folder") + "/" + request.wild("file"); }

// The answer of `make` about the picture of the address, if it may be shown.
Response about_picture(const Api& api, const Request& request, const std::function<Response(const GalleryPicture&)>& make) {
  const auto picture = api.library.gallery().find(name_of(request));
  if (!picture) return web::error_response(404, "input", "[picture] there is none of this name");
  if (auto refusal = closed_by_rating(api.library.gallery().file(picture->name))) return *refusal;
  return make(*picture);
}

std::string content_type_of(const std::string& bytes) {
  switch (picture_format(bytes)) {
    case PictureFormat::png:
      return "image/png";
    case PictureFormat::jpeg:
      return "image/jpeg";
    case PictureFormat::webp:
      return "image/webp";
    default:
      return "application/octet-stream";
  }
}

// Whether the client has these bytes already; their name is their hash.
bool is_known(const Request& request, const std::string& tag) {
  const auto* given = request.header("if-none-match");
  return given && *given == tag;
}

Response unchanged_or(const Request& request, const std::string& tag, const std::function<Response()>& make) {
  Response response;
  if (is_known(request, tag)) {
    response.status = 304;
    response.content_type = "";
  } else {
    response = make();
  }
  response.headers.emplace_back("ETag", tag);
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  return response;
}

Response image_of(const Api& api, const Request& request) {
  return about_picture(api, request, [&](const GalleryPicture& picture) {
    return unchanged_or(request, "\"" + picture.sha256 + "\"", [&] {
      Response response;
      response.body = read_file(api.library.gallery().file(picture.name), largest_picture_bytes);
      response.content_type = content_type_of(response.body);
      return response;
    });
  });
}

Response thumbnail_of(const Api& api, const Request& request) {
  return about_picture(api, request, [&](const GalleryPicture& picture) {
    if (!picture.damage.empty()) return web::error_response(409, "file_format", picture.damage);
    return unchanged_or(request, "\"t-" + picture.sha256 + "\"", [&] {
      const std::string bytes = read_file(api.library.gallery().file(picture.name), largest_picture_bytes);
      const Image8 image = decode_image(bytes, picture.name);
      const double scale = std::min(1.0, double(thumbnail_px) / std::max(image.width, image.height));
      const auto side = [&](int px) { return std::max(1, static_cast<int>(px * scale)); };
      Response response;
      response.content_type = "image/png";
      response.body = encode_png(scale < 1 ? resize_for_display(image, side(image.width), side(image.height)) : image);
      return response;
    });
  });
}

Json json_of(const TextChunks& chunks) {
  Json list = Json::array();
  for (const auto& [key, text] : chunks) list.push_back({{"key", key}, {"text", text}});
  return list;
}

TextChunks text_chunks(const std::string& bytes, const std::string& name) {
  return picture_format(bytes) == PictureFormat::png ? decode_png(bytes, name).text : TextChunks{};
}

GalleryQuery query_of(const Request& request) {
  check_parameters(request,
                   {"text", "model", "lora", "seed", "job", "from_ms", "to_ms", "rating", "trashed", "after", "offset", "limit"});
  GalleryQuery query;
  query.text = text_of(request, "text");
  query.model = text_of(request, "model");
  query.lora = text_of(request, "lora");
  query.seed = text_of(request, "seed");
  query.after = text_of(request, "after");
  if (const int64_t job = integer_of(request, "job", 0, 0, INT64_MAX)) query.folder = job_folder_name(static_cast<uint64_t>(job));
  constexpr int64_t far = 9000000000000;
  if (request.target.query.contains("from_ms")) query.from_ms = integer_of(request, "from_ms", 0, 0, far);
  if (request.target.query.contains("to_ms")) query.to_ms = integer_of(request, "to_ms", 0, 0, far);
  query.least_rating = integer_of(request, "rating", 0, 0, 5);
  query.trashed = integer_of(request, "trashed", 0, 0, 1) == 1;
  query.offset = integer_of(request, "offset", 0, 0, 100000000);
  query.limit = integer_of(request, "limit", 100, 1, 500);
  return query;
}

Response search(const Api& api, const Request& request) {
  if (auto refusal = closed_by_rating(api.library.folder() / library_names::pictures)) return *refusal;
  const GalleryPage page = api.library.gallery().search(query_of(request));
  Json pictures = Json::array();
  for (const auto& picture : page.pictures) pictures.push_back(json_of(picture));
  return json_response({{"pictures", pictures}, {"total", page.total}});
}

// Does something to the picture of the address; answers it as it is then.
std::function<Response(const Request&)> changing(Api& api, std::function<void(const Request&, const GalleryPicture&)> change) {
  return [&api, change = std::move(change)](const Request& request) {
    return about_picture(api, request, [&](const GalleryPicture& picture) {
      change(request, picture);
      const auto now = api.library.gallery().find(picture.name);
      return json_response(json_of(now ? *now : picture));
    });
  };
}

void check_in_trash(const GalleryPicture& picture, bool expected) {
  check(picture.trashed == expected, ErrorKind::input, "[picture] {}",
        expected ? "is not in the trash" : "is in the trash already");
}

struct Adder {
  Api& api;
  std::vector<Operation>& operations;

  Operation& add(const char* method, const std::string& pattern, const char* summary,
                 std::function<Response(const Request&)> answer) {
    Operation made;
    made.route.method = method;
    made.route.pattern = pattern;
    made.route.handler = answering(std::move(answer));
    made.route.body_bytes = 0;
    made.summary = summary;
    if (pattern.find("{folder}") != std::string::npos)
      made.parameters = {
          {"folder", "path", "of a job: its number in six digits, or \"imported\"", R"({"type": "string", "minLength": 1})"},
          {"file", "path", "the picture's file name", R"({"type": "string", "minLength": 1})"}};
    operations.push_back(std::move(made));
    return operations.back();
  }
};

void add_readers(Adder adder) {
  Api& api = adder.api;
  Operation& list = adder.add("GET", "/api/v1/pictures", "the gallery, newest first",
                              [&api](const Request& request) { return search(api, request); });
  const char* text = R"({"type": "string"})";
  list.parameters = {
      {"text", "query", "in prompt, negative prompt or name", text},
      {"model", "query", "part of the model's name", text},
      {"lora", "query", "part of a LoRA's name", text},
      {"seed", "query", "the whole seed", text},
      {"job", "query", "number of the job; 0: any", R"({"type": "integer", "minimum": 0})"},
      {"from_ms", "query", "not older, since 1970", R"({"type": "integer", "minimum": 0, "maximum": 9000000000000})"},
      {"to_ms", "query", "not newer, since 1970", R"({"type": "integer", "minimum": 0, "maximum": 9000000000000})"},
      {"rating", "query", "rated at least", R"({"type": "integer", "minimum": 0, "maximum": 5})"},
      {"trashed", "query", "1: the trash", R"({"type": "integer", "minimum": 0, "maximum": 1})"},
      {"after", "query", "a picture's name: what follows it", text},
      {"offset", "query", "so many are skipped", R"({"type": "integer", "minimum": 0, "maximum": 100000000})"},
      {"limit", "query", "at most so many", R"({"type": "integer", "minimum": 1, "maximum": 500})"}};
  list.answer_schema =
      std::string(R"({"type": "object", "required": ["pictures", "total"], "properties": {"total": {"type": "integer"},
    "pictures": {"type": "array", "items": )") +
      picture_schema + "}}}";
  const std::string one = "/api/v1/pictures/{folder}/{file}";
  adder.add("GET", one, "what is known of a picture", changing(api, [](const Request&, const GalleryPicture&) {})).answer_schema =
      picture_schema;
  adder.add("GET", one + "/image", "the file as it is", [&api](const Request& request) { return image_of(api, request); })
      .answer_type = "image/*";
  adder
      .add("GET", one + "/thumbnail", "small, without what is written in it",
           [&api](const Request& request) { return thumbnail_of(api, request); })
      .answer_type = "image/png";
  adder.add("GET", one + "/text", "the texts in a PNG", [&api](const Request& request) {
    return about_picture(api, request, [&](const GalleryPicture& picture) {
      const std::string bytes = read_file(api.library.gallery().file(picture.name), largest_picture_bytes);
      return json_response(json_of(text_chunks(bytes, picture.name)));
    });
  });
}

void add_writers(Adder adder) {
  Api& api = adder.api;
  const std::string one = "/api/v1/pictures/{folder}/{file}";
  adder
      .add("POST", one + "/trash", "into the trash",
           changing(api,
                    [&api](const Request&, const GalleryPicture& picture) {
                      check_in_trash(picture, false);
                      api.library.gallery().move_to_trash(picture.name);
                    }))
      .answer_schema = picture_schema;
  adder
      .add("POST", one + "/restore", "out of the trash",
           changing(api,
                    [&api](const Request&, const GalleryPicture& picture) {
                      check_in_trash(picture, true);
                      api.library.gallery().restore(picture.name);
                    }))
      .answer_schema = picture_schema;
  adder
      .add("DELETE", one, "for ever, out of the trash",
           changing(api,
                    [&api](const Request&, const GalleryPicture& picture) {
                      check_in_trash(picture, true);
                      api.library.gallery().remove_for_ever(picture.name);
                    }))
      .answer_schema = picture_schema;
  Operation& rate =
      adder.add("POST", one + "/rating", "what you think of it; 0 takes it back",
                changing(api, [&api](const Request& request, const GalleryPicture& picture) {
                  const Json body = object_of_body(request);
                  for (const auto& [key, value] : body.items())
                    check(key == "rating", ErrorKind::input, "[request] has the unknown setting {}", json_excerpt(key));
                  check(body.contains("rating") && json_holds<int64_t>(body["rating"]), ErrorKind::input,
                        "[rating in request] got {}, expected an integer in 0..5", json_excerpt(body.value("rating", Json())));
                  api.library.gallery().rate(picture.name, body["rating"].get<int64_t>());
                }));
  rate.route.body_bytes = 4096;
  rate.body_type = "application/json";
  rate.body_schema = R"({"type": "object", "additionalProperties": false, "required": ["rating"],
    "properties": {"rating": {"type": "integer", "minimum": 0, "maximum": 5}}})";
  rate.answer_schema = picture_schema;
  Operation& import =
      adder.add("POST", "/api/v1/pictures", "takes a picture from elsewhere into the gallery", [&api](const Request& request) {
        check_parameters(request, {"name"});
        return json_response(json_of(api.library.gallery().import(text_of(request, "name"), request.body)), 201);
      });
  import.parameters = {{ "name", "query", "its file name", R"({"type": "string"})" }};
  import.route.body_bytes = largest_picture_bytes;
  import.body_type = "application/octet-stream";
  import.success = 201;
  import.answer_schema = picture_schema;
  Operation& info =
      adder.add("POST", "/api/v1/png-info", "the texts in a PNG that is not in the gallery", [](const Request& request) {
        check(!request.body.empty(), ErrorKind::input, "[body] is empty, expected the picture's bytes");
        return json_response(json_of(text_chunks(request.body, "picture")));
      });
  info.route.body_bytes = largest_picture_bytes;
  info.body_type = "application/octet-stream";
  Operation& settings =
      adder.add("POST", "/api/v1/png-settings", "what a PNG of the webui, Fooocus or ComfyUI says, as settings of generate",
                [&api](const Request& request) {
                  check(!request.body.empty(), ErrorKind::input, "[body] is empty, expected the picture's bytes");
                  return json_response(settings_of_other(text_chunks(request.body, "picture"), api.inventory));
                });
  settings.route.body_bytes = largest_picture_bytes;
  settings.body_type = "application/octet-stream";
  settings.answer_schema = R"({"type": "object", "required": ["program", "settings", "not_honoured"], "properties": {
    "program": {"type": "string"}, "settings": {"type": "object"}, "not_honoured": {"type": "array", "items": {"type": "string"}}}})";
}

}  // namespace

std::vector<Operation> picture_operations(Api& api) {
  std::vector<Operation> operations;
  operations.reserve(32);  // references into it are kept while it is filled
  add_readers({api, operations});
  add_writers({api, operations});
  return operations;
}

}  // namespace negativa::studio
