// Experiments that can be run, and their runs.
#include <algorithm>

#include "api.h"
#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "experiment/rounds_state.h"
#include "library/names.h"
#include "open_rating.h"
#include "report/page.h"

namespace negativa::studio {

namespace {

namespace fs = std::filesystem;
using web::answering;
using web::json_response;
using web::Request;
using web::Response;

constexpr int deepest = 4;  // folders below a root
constexpr uintmax_t longest_toml_bytes = 1 << 20;

// Whether a TOML is an experiment's: it has arms.
bool is_experiment(const fs::path& file) {
  std::error_code error;
  if (file.extension() != ".toml" || fs::file_size(file, error) > longest_toml_bytes || error) return false;
  try {
    const std::string text = read_file(file, longest_toml_bytes);
    return text.starts_with("[arms") || text.find("\n[arms") != std::string::npos;
  } catch (const Error&) {  // it went away, or may not be read
    return false;
  }
}

void find_experiments(const Roots& roots, const fs::path& folder, int depth, std::vector<std::string>& found) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with('.') || valid_utf8(name) != name || entry.is_symlink(error)) continue;
    if (entry.is_directory(error) && depth < deepest) find_experiments(roots, entry.path(), depth + 1, found);
    if (entry.is_regular_file(error) && is_experiment(entry.path())) found.push_back(roots.reference_of(entry.path()));
  }
}

Response experiments(const Api& api) {
  std::vector<std::string> found;
  const std::string library = api.library.folder().string();
  for (const auto& root : api.roots.roots())
    if (!root.folder.string().starts_with(library)) find_experiments(api.roots, root.folder, 1, found);
  find_experiments(api.roots, api.library.folder() / library_names::files / "experiments", deepest,
                   found);  // experiment-rejects'
  std::sort(found.begin(), found.end());
  return json_response(found);
}

// The job that is to work on that run, or is at it.
Json open_job_of(const Api& api, const std::string& run) {
  for (const auto& record : api.library.jobs().open()) {
    if (record.verb != "experiment run") continue;
    const Json options = parse_json(record.options_json, "options");
    if (options.value("out", "") == run) return {{"id", record.id}, {"state", job_state_name(record.state)}};
  }
  return {};
}

Response runs(const Api& api) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(api.library.runs(), error)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(error) && valid_utf8(name) == name) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  Json list = Json::array();
  for (const auto& name : names) {
    const fs::path folder = api.library.runs() / name;
    list.push_back({{"name", name},
                    {"reference", std::string(library_names::runs) + "/" + name},
                    {"begun", fs::exists(folder / names::plan_file, error)},
                    {"report", fs::exists(folder / names::report_page, error)},
                    {"job", open_job_of(api, name)}});
  }
  return json_response(list);
}

Response no_such(const char* what) {
  return web::error_response(404, "input", fmt::format("[{}] there is none of this name", what));
}

// Below the run's folder; empty: there is nothing of that name.
fs::path file_of(const Api& api, const Request& request, const std::vector<std::string>& tail) {
  try {
    std::string reference = std::string(library_names::runs) + "/" + request.wild("run");
    for (const auto& part : tail) reference += "/" + part;
    return api.roots.resolve(reference, "run");
  } catch (const Error&) {
    return {};
  }
}

Response status(Api& api, const Request& request) {
  check_parameters(request, {});
  const std::string& name = request.wild("run");
  if (auto refusal = closed_by_rating(api.library.runs() / name)) return *refusal;
  const fs::path folder = file_of(api, request, {});
  if (folder.empty() || !fs::is_directory(folder)) return no_such("run");
  const Json options = {{"run", std::string(library_names::runs) + "/" + name}};
  Json answer = api.queue.ask(*find_verb("experiment status"), options, *request.gone, false)["result"];
  answer["job"] = open_job_of(api, name);
  return json_response(answer);
}

std::string content_type_of(const fs::path& file) {
  const std::string extension = ascii_lower(file.extension().string());
  if (extension == ".png") return "image/png";
  if (extension == ".jpg" || extension == ".jpeg") return "image/jpeg";
  if (extension == ".json") return "application/json";
  if (extension == ".csv" || extension == ".jsonl" || extension == ".toml") return "text/plain; charset=utf-8";
  return "application/octet-stream";
}

// Pages that this program makes, by their place in a run: its report, that of its rounds, and the reports of those.
bool is_own_page(const std::vector<std::string>& tail) {
  if (tail.size() == 1) return tail[0] == names::report_page;
  if (tail.empty() || tail[0] != names::rounds_folder) return false;
  if (tail.size() == 2) return tail[1] == names::rounds_page;
  return tail.size() == 4 && tail[2] == names::rounds_run && tail[3] == names::report_page;
}

Response run_file(const Api& api, const Request& request) {
  check_parameters(request, {});
  if (auto refusal = closed_by_rating(api.library.runs() / request.wild("run"))) return *refusal;
  const fs::path path = file_of(api, request, request.tail);
  if (path.empty() || !fs::is_regular_file(path)) return no_such("file");
  Response response;
  response.file = path;
  response.content_type = content_type_of(path);
  if (is_own_page(request.tail)) {
    response.content_type = "text/html; charset=utf-8";
    // Its own script and style sheet are within it and known by their hashes.
    response.headers.emplace_back("Content-Security-Policy", page_policy() + "; frame-ancestors 'self'");
    response.headers.emplace_back("X-Frame-Options", "SAMEORIGIN");
  } else if (response.content_type == "application/octet-stream") {
    response.headers.emplace_back("Content-Disposition",
                                  "attachment; filename*=UTF-8''" + web::url_encoded(path.filename().string()));
  }
  return response;
}

Operation reading(const char* pattern, const char* summary, web::Handler handler, const char* schema) {
  Operation made;
  made.route.method = "GET";
  made.route.pattern = pattern;
  made.route.handler = std::move(handler);
  made.route.body_bytes = 0;
  made.summary = summary;
  made.answer_schema = schema;
  return made;
}

constexpr const char* names_schema = R"({"type": "array", "items": {"type": "string"}})";
constexpr const char* runs_schema =
    R"({"type": "array", "items": {"type": "object", "required": ["name", "reference", "begun", "report"],
  "properties": {"name": {"type": "string"}, "reference": {"type": "string"}, "begun": {"type": "boolean"},
  "report": {"type": "boolean"}, "job": {"type": ["object", "null"]}}}})";
constexpr const char* status_schema =
    R"({"type": "object", "required": ["experiment", "finished", "stages", "arms"], "properties": {
  "experiment": {"type": "string"}, "finished": {"type": "boolean"}, "stages": {"type": "array"}, "arms": {"type": "array"}}})";

}  // namespace

std::vector<Operation> run_operations(Api& api) {
  const Parameter run = {"run", "path", "the run's name", R"({"type": "string", "minLength": 1})"};
  std::vector<Operation> operations;
  const auto listed = [](auto answer) {
    return [answer](const Request& request) {
      check_parameters(request, {});
      return answer();
    };
  };
  operations.push_back(reading("/api/v1/experiments", "experiments that can be run",
                               questioning(api, listed([&api] { return experiments(api); })), names_schema));
  operations.push_back(
      reading("/api/v1/runs", "runs of experiments", questioning(api, listed([&api] { return runs(api); })), runs_schema));
  operations.push_back(reading("/api/v1/runs/{run}", "how far a run has come, by stage and arm",
                               questioning(api, [&api](const Request& request) { return status(api, request); }), status_schema));
  operations.back().parameters = {run};
  operations.push_back(reading("/api/v1/runs/{run}/files/{path*}", "a file of a run: report.html, pictures, metrics.csv",
                               answering([&api](const Request& request) { return run_file(api, request); }), "{}"));
  operations.back().parameters = {run, {"path", "path", "its name there", R"({"type": "string", "minLength": 1})"}};
  operations.back().answer_type = "*/*";
  return operations;
}

}  // namespace negativa::studio
