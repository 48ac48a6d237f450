#include "api.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/recipe.h"
#include "base/text.h"
#include "io/file_kind.h"
#include "io/pickle_file.h"
#include "io/safetensors.h"
#include "open_rating.h"

namespace negativa::studio {

namespace {

namespace fs = std::filesystem;
using web::answering;
using web::json_response;
using web::Request;
using web::Response;

constexpr uint64_t largest_lora_bytes = uint64_t{8} << 30;

Json json_of(const std::vector<InventoryItem>& items) {
  Json list = Json::array();
  for (const auto& item : items)
    list.push_back({{"name", item.name},
                    {"reference", item.reference},
                    {"bytes", item.bytes},
                    {"changed_ms", item.changed_ms},
                    {"fault", item.fault.empty() ? Json() : Json(item.fault)}});
  return list;
}

constexpr const char* list_schema = R"({"type": "array", "items": {"type": "object", "required": ["name", "reference"]}})";

Operation listing(const std::string& pattern, const char* summary, std::function<Response(const Request&)> answer) {
  Operation made;
  made.route.method = "GET";
  made.route.pattern = pattern;
  made.route.handler = answering(std::move(answer));
  made.route.body_bytes = 0;
  made.summary = summary;
  return made;
}

// Files that the library holds, for whoever wants to keep one: nothing of its settings and secrets, and nothing of other roots.
Response download(const Api& api, const Request& request) {
  const std::string& root = request.wild("root");
  const bool is_own = root == "pictures" || root == "lora" || root == "embeddings" || root == "files";
  if (!is_own) return web::error_response(404, "input", "[file] there is no such folder to take files from");
  if (auto refusal = closed_by_rating(api.library.folder() / root / joined(request.tail, "/"))) return *refusal;
  fs::path path;
  try {
    path = api.roots.resolve(root + "/" + joined(request.tail, "/"), "file");
  } catch (const Error& error) {
    return web::error_response(404, "input", error.what());
  }
  if (!fs::is_regular_file(path)) return web::error_response(404, "input", "[file] is a folder");
  Response response;
  response.content_type = "application/octet-stream";
  response.headers.emplace_back("Content-Disposition",
                                "attachment; filename*=UTF-8''" + web::url_encoded(path.filename().string()));
  response.file = path;
  return response;
}

// By the name that it is to have: an upload has none that tells.
void open_named(const fs::path& file, const fs::path& name) {
  if (name.extension() == weights_endings().front())
    SafetensorsFile::open(file);
  else
    PickleFile::open(file);
}

// A LoRA or embedding that a person has: kept under its name once it is seen to be one.
Response take(const fs::path& folder, const std::string& root, const Request& request) {
  check_parameters(request, {"name"});
  const std::string name = text_of(request, "name");
  const bool plain =
      has_weights_name(name) && name.size() <= 200 && name.find('/') == std::string::npos && !name.starts_with('.');
  check(plain, ErrorKind::input, "[name] got {}, expected a file name that ends in {}", json_excerpt(name),
        fmt::join(weights_endings(), ", "));
  try {
    open_named(request.body_file, name);
  } catch (const Error& error) {
    fail(ErrorKind::file_format, "[{}] cannot be used: {}", name, error.what());
  }
  // link(2) refuses a name that is taken; the upload's own name goes with the request.
  std::error_code error;
  fs::create_hard_link(request.body_file, folder / name, error);
  if (error == std::errc::file_exists) return web::error_response(409, "input", "[name] is taken; choose another");
  check(!error, ErrorKind::machine, "[{}] cannot be kept: {}", name, error.message());
  return json_response({{"name", fs::path(name).stem().string()}, {"reference", root + "/" + name}}, 201);
}

Operation taking(const std::string& pattern, const char* summary, std::function<Response(const Request&)> answer) {
  Operation made = listing(pattern, summary, std::move(answer));
  made.route.method = "POST";
  made.route.is_upload = true;
  made.route.body_bytes = largest_lora_bytes;
  made.parameters = {{"name", "query", "its file name", R"({"type": "string"})"}};
  made.body_type = "application/octet-stream";
  made.success = 201;
  return made;
}

Response status_of(const Api& api) {
  return json_response({{"version", Recipe::default_program_version()},
                        {"library", api.library.id()},
                        {"held", api.queue.holds()},
                        {"waiting", api.library.jobs().open().size()},
                        {"pictures", api.library.gallery().count()}});
}

}  // namespace

std::vector<Operation> inventory_operations(Api& api) {
  std::vector<Operation> operations;
  const auto list = [&](const char* pattern, const char* summary, const char* kind) {
    operations.push_back(
        listing(pattern, summary, [&api, kind](const Request&) { return json_response(json_of(api.inventory.of_kind(kind))); }));
    operations.back().answer_schema = list_schema;
  };
  list("/api/v1/models", "models that can be drawn with", "model");
  list("/api/v1/unets", "UNets apart from a model", "unet");
  list("/api/v1/vaes", "VAEs", "vae");
  list("/api/v1/loras", "LoRAs", "lora");
  list("/api/v1/embeddings", "embeddings", "embedding");
  operations.push_back(listing("/api/v1/folders", "what names begin with", [&api](const Request&) {
    Json names = Json::array();
    for (const auto& root : api.roots.roots()) names.push_back(root.name);
    return json_response(names);
  }));
  operations.push_back(listing("/api/v1/status", "the studio", [&api](const Request&) { return status_of(api); }));
  operations.push_back(listing("/api/v1/files/{root}/{path*}", "a file that the library holds",
                               [&api](const Request& request) { return download(api, request); }));
  operations.back().parameters = {
      {"root", "path", "pictures, lora, embeddings or files", R"({"type": "string", "minLength": 1})"},
      {"path", "path", "its name there", R"({"type": "string", "minLength": 1})"}};
  operations.back().answer_type = "application/octet-stream";
  operations.push_back(taking("/api/v1/loras", "keeps a LoRA",
                              [&api](const Request& request) { return take(api.library.loras(), "lora", request); }));
  operations.push_back(taking("/api/v1/embeddings", "keeps an embedding",
                              [&api](const Request& request) { return take(api.library.embeddings(), "embeddings", request); }));
  return operations;
}

void add_api(web::Router& router, Api& api) {
  std::vector<Operation> all = job_operations(api);
  for (auto& list : {picture_operations(api), inventory_operations(api), training_operations(api), run_operations(api)})
    all.insert(all.end(), list.begin(), list.end());
  const std::string document = openapi_of(all).dump();
  for (const auto& operation : all) router.add(operation.route);
  router.add({"GET", "/api/v1/openapi.json", web::Access::studio, answering([document](const Request&) {
                Response response;
                response.body = document;
                return response;
              }),
              0});
}

}  // namespace negativa::studio
