#include <boost/asio/post.hpp>
#include <charconv>

#include "api.h"
#include "base/json.h"
#include "base/text.h"

namespace negativa::studio {

namespace {

using web::answering;
using web::Handler;
using web::json_response;
using web::Reply;
using web::Request;
using web::Response;

constexpr const char* job_schema = R"({"type": "object", "required": ["id", "verb", "state", "options"], "properties": {
  "id": {"type": "integer"}, "verb": {"type": "string"}, "origin": {"type": "string"},
  "state": {"enum": ["queued", "held", "running", "done", "failed", "cancelled"]}, "options": {"type": "object"},
  "made_ms": {"type": "integer"}, "began_ms": {"type": ["integer", "null"]}, "ended_ms": {"type": ["integer", "null"]},
  "notices": {"type": "array", "items": {"type": "string"}}, "result": {}, "error": {"type": ["object", "null"]},
  "progress": {"type": ["object", "null"]}, "held_because": {"type": ["string", "null"]}}})";
constexpr const char* held_schema = R"({"type": "object", "required": ["held"], "properties": {"held": {"type": "boolean"}}})";

Parameter id_parameter() { return {"id", "path", "the job's number", R"({"type": "integer", "minimum": 1})"}; }

uint64_t id_of(const Request& request) {
  const std::string& text = request.wild("id");
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() ? id : 0;  // there is no job 0
}

Response no_such_job() { return web::error_response(404, "input", "[job] there is none of this number"); }

Response described(const Api& api, uint64_t id, int status = 200) {
  const auto record = api.library.jobs().find(id);
  return record ? json_response(api.queue.describe(*record), status) : no_such_job();
}

// The action on a job of the address, then the job as it is.
Handler acting(Api& api, std::function<void(uint64_t)> act) {
  return answering([&api, act = std::move(act)](const Request& request) {
    const uint64_t id = id_of(request);
    const auto record = api.library.jobs().find(id);
    if (!record) return no_such_job();
    if (record->is_over()) return web::error_response(409, "input", "[job] it is over");
    act(id);
    return described(api, id);
  });
}

Operation operation(const char* method, std::string pattern, std::string summary, Handler handler) {
  Operation made;
  made.route.method = method;
  made.route.pattern = std::move(pattern);
  made.route.handler = std::move(handler);
  made.summary = std::move(summary);
  if (made.route.method != "POST") made.route.body_bytes = 0;
  return made;
}

void add_verb(Api& api, const Verb& verb, std::vector<Operation>& operations) {
  const std::string schema = schema_of_fields(verb.name).dump();
  const auto with_settings = [&](Operation made) {
    made.body_type = "application/json";
    made.body_schema = schema;
    operations.push_back(std::move(made));
  };
  const auto ask = [&](const std::string& pattern, const std::string& summary, bool forecast) {
    with_settings(operation("POST", pattern, summary, questioning(api, [&api, &verb, forecast](const Request& request) {
                              check_parameters(request, {});
                              return json_response(api.queue.ask(verb, object_of_body(request), *request.gone, forecast));
                            })));
  };
  if (verb.lane == Lane::ask) return ask("/api/v1/ask/" + verb.path_name(), verb.name + ": " + verb.help, false);
  Operation submit = operation("POST", "/api/v1/jobs/" + verb.path_name(), verb.name + ": " + verb.help,
                               questioning(api, [&api, &verb](const Request& request) {  // a model may have to be opened
                                 check_parameters(request, {"preview_every"});
                                 JobWishes wishes;
                                 wishes.preview_every = integer_of(request, "preview_every", 0, 0, 1000);
                                 return described(api, api.queue.submit(verb, object_of_body(request), wishes), 201);
                               }));
  submit.success = 201;
  submit.answer_schema = job_schema;
  submit.parameters = {{"preview_every", "query",
                        "a small picture of the latents after every so many steps, while anybody looks; 0: none",
                        R"({"type": "integer", "minimum": 0, "maximum": 1000})"}};
  with_settings(std::move(submit));
  if (verb.has_forecast) ask("/api/v1/forecast/" + verb.path_name(), verb.name + ": what it would take", true);
}

Json verb_list() {
  Json list = Json::array();
  for (const auto& verb : verbs())
    list.push_back({{"verb", verb.name},
                    {"path_name", verb.path_name()},
                    {"help", verb.help},
                    {"asked", verb.lane == Lane::ask},
                    {"has_forecast", verb.has_forecast},
                    {"settings", schema_of_fields(verb.name)["properties"]}});
  return list;
}

Response job_list(const Api& api, const Request& request) {
  check_parameters(request, {"limit", "before"});
  const auto limit = static_cast<size_t>(integer_of(request, "limit", 50, 1, 500));
  const int64_t before = integer_of(request, "before", 0, 0, INT64_MAX);
  Json jobs = Json::array();
  for (const auto& record : api.library.jobs().newest(limit, before ? static_cast<uint64_t>(before) : UINT64_MAX))
    jobs.push_back(api.queue.describe(record));
  return json_response({{"jobs", jobs}, {"held", api.queue.holds()}});
}

Response preview(const Api& api, const Request& request) {
  const std::string png = api.queue.preview_png(id_of(request));
  if (png.empty()) return web::error_response(404, "input", "[preview] there is none");
  Response response;
  response.content_type = "image/png";
  response.body = png;
  return response;
}

void add_job_addresses(Api& api, std::vector<Operation>& operations) {
  Operation list = operation("GET", "/api/v1/jobs", "the queue and what was done, newest first",
                             answering([&api](const Request& request) { return job_list(api, request); }));
  list.parameters = {{"limit", "query", "at most so many", R"({"type": "integer", "minimum": 1, "maximum": 500})"},
                     {"before", "query", "only jobs of smaller numbers; 0: all", R"({"type": "integer", "minimum": 0})"}};
  list.answer_schema = std::string(R"({"type": "object", "required": ["jobs", "held"], "properties": {"held": {"type": "boolean"},
    "jobs": {"type": "array", "items": )") +
                       job_schema + "}}}";
  operations.push_back(list);
  const auto of_job = [&](Operation made) {
    made.parameters = {id_parameter()};
    made.answer_schema = job_schema;
    operations.push_back(std::move(made));
  };
  of_job(operation("GET", "/api/v1/jobs/{id}", "a job",
                   answering([&api](const Request& request) { return described(api, id_of(request)); })));
  of_job(operation("POST", "/api/v1/jobs/{id}/cancel", "ends a job that waits or runs",
                   acting(api, [&api](uint64_t id) { api.queue.cancel(id); })));
  of_job(operation("POST", "/api/v1/jobs/{id}/release", "a held job waits for its turn again",
                   acting(api, [&api](uint64_t id) { api.queue.release(id); })));
  Operation picture = operation("GET", "/api/v1/jobs/{id}/preview", "the latest preview of a running job",
                                answering([&api](const Request& request) { return preview(api, request); }));
  picture.parameters = {id_parameter()};
  picture.answer_type = "image/png";
  operations.push_back(picture);
}

void add_queue_addresses(Api& api, std::vector<Operation>& operations) {
  const auto held = [&api] { return json_response({{"held", api.queue.holds()}}); };
  const auto add = [&](Operation made) {
    made.answer_schema = held_schema;
    operations.push_back(std::move(made));
  };
  add(operation("POST", "/api/v1/queue/hold", "no further job begins", answering([&api, held](const Request&) {
                  api.queue.hold_all();
                  return held();
                })));
  add(operation("POST", "/api/v1/queue/release", "jobs begin again", answering([&api, held](const Request&) {
                  api.queue.release_all();
                  return held();
                })));
  Operation events = operation("GET", "/api/v1/events", "what happens, as server-sent events", answering([](const Request&) {
                                 Response response;
                                 response.content_type = "text/event-stream";
                                 response.is_event_stream = true;
                                 return response;
                               }));
  events.answer_type = "text/event-stream";
  operations.push_back(events);
}

// No answer shows a path of this machine.
Response without_paths(const Api& api, const Error& error) {
  try {
    throw Error(error.kind(), api.roots.without_paths(error.what()));
  } catch (...) {
    return web::error_response_of_current_exception();
  }
}

}  // namespace

Handler questioning(Api& api, std::function<Response(const Request&)> question) {
  return [&api, question = std::move(question)](const std::shared_ptr<const Request>& request, const Reply& reply) {
    if (++api.asked > most_questions) {
      --api.asked;
      Response busy = web::error_response(503, "machine", "[studio] too many questions wait; ask again later");
      busy.headers.emplace_back("Retry-After", "5");
      return reply(busy);
    }
    boost::asio::post(api.questions, [&api, question, request, reply] {
      Response answer;
      try {
        answer = question(*request);
      } catch (const Error& error) {
        answer = without_paths(api, error);
      } catch (...) {
        answer = web::error_response_of_current_exception();
      }
      --api.asked;
      reply(answer);
    });
  };
}

std::vector<Operation> job_operations(Api& api) {
  std::vector<Operation> operations;
  for (const auto& verb : verbs()) add_verb(api, verb, operations);
  operations.push_back(operation("GET", "/api/v1/verbs", "what can be asked for, with its settings",
                                 answering([](const Request&) { return json_response(verb_list()); })));
  add_job_addresses(api, operations);
  add_queue_addresses(api, operations);
  return operations;
}

}  // namespace negativa::studio
