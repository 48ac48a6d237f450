#include "sdapi.h"

#include <boost/asio/post.hpp>
#include <chrono>

#include "base/json.h"
#include "base/text.h"
#include "library/names.h"
#include "sdapi_fields.h"
#include "sdapi_png_info.h"
#include "sdapi_request.h"
#include "web/base64.h"

namespace negativa::studio {

namespace {

using web::answering;
using web::json_response;
using web::Request;
using web::Response;

constexpr const char* origin = "sdapi";
constexpr std::chrono::milliseconds watch_every{50};
constexpr uint64_t picture_body_bytes = uint64_t{64} << 20, small_body_bytes = uint64_t{1} << 20;

Response busy() {
  Response response =
      sd_error(503, "machine", fmt::format("[queue] {} requests wait already; ask again later", SdApi::most_waiting));
  response.headers.emplace_back("Retry-After", "5");
  return response;
}

// With this API's form of an error.
web::Handler guarded(std::function<Response(const Request&)> answer) {
  return answering([answer = std::move(answer)](const Request& request) {
    try {
      return answer(request);
    } catch (...) {
      return sd_error_of_current_exception();
    }
  });
}

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void add(web::Router& router, const char* method, const std::string& name, web::Handler handler, uint64_t body_bytes = 0) {
  router.add({method, "/sdapi/v1/" + name, web::Access::tools, std::move(handler), body_bytes});
}

Response img2img(const Request&) {
  return sd_error(501, "input", "[img2img] is not built: pictures are drawn from noise alone; use txt2img");
}

}  // namespace

SdApi::SdApi(Api& api, std::string default_model)
    : api_(api), default_model_(std::move(default_model)), watcher_([this] { watch(); }) {}

SdApi::~SdApi() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

void SdApi::watch() {
  std::unique_lock lock(mutex_);
  while (!stops_) {
    changed_.wait(lock, [&] { return stops_ || !open_.empty(); });
    const auto open = open_;
    lock.unlock();
    std::vector<uint64_t> done;
    for (const auto& [id, gone] : open) {
      const auto record = api_.library.jobs().find(id);
      const bool waits = record && (record->state == JobState::queued || record->state == JobState::held);
      if (waits && !gone->cancelled()) continue;
      done.push_back(id);
      try {
        if (waits) api_.queue.cancel(id);
      } catch (const Error&) {  // it ended meanwhile
      }
    }
    lock.lock();
    for (const uint64_t id : done) open_.erase(id);
    changed_.wait_for(lock, watch_every, [&] { return stops_; });
  }
}

void SdApi::draw(const std::shared_ptr<const Request>& request, const web::Reply& reply) {
  {
    const std::lock_guard lock(mutex_);
    if (arriving_ + waiting() >= most_waiting) return reply(busy());
    ++arriving_;
  }
  boost::asio::post(api_.questions, [this, request, reply] {  // a model may have to be opened
    uint64_t id = 0;
    try {
      id = submit(*request, reply);
    } catch (...) {
      reply(sd_error_of_current_exception());
    }
    {
      const std::lock_guard lock(mutex_);  // both at once: no request is counted twice
      --arriving_;
      if (id != 0) open_[id] = request->gone;
    }
    changed_.notify_all();
  });
}

uint64_t SdApi::submit(const Request& request, const web::Reply& reply) {
  SdOptions options;
  {
    const std::lock_guard lock(options_mutex_);
    options = options_;
  }
  const auto asked = std::make_shared<const SdRequest>(sd_request(sd_object(request.body), options, api_.inventory));
  if (request.gone->cancelled()) return 0;
  JobWishes wishes;
  wishes.origin = origin;
  wishes.preview_every = asked->options.preview_every;
  wishes.on_end = [this, asked, reply](const JobRecord& record) { reply(answer_of(*asked, record)); };
  const uint64_t id = api_.queue.submit(*find_verb("generate"), asked->settings, wishes);
  if (asked->keeps_options) {
    const std::lock_guard lock(options_mutex_);
    options_ = asked->options;
  }
  return id;
}

size_t SdApi::waiting() const {
  size_t count = 0;
  for (const auto& record : api_.library.jobs().open()) count += record.state != JobState::running && open_.contains(record.id);
  return count;
}

Response SdApi::answer_of(const SdRequest& asked, const JobRecord& record) {
  {
    const std::lock_guard lock(mutex_);
    interrupted_.erase(record.id);
  }
  try {
    return sd_answer(asked, record, api_.library.folder() / library_names::pictures / job_folder_name(record.id));
  } catch (...) {
    return sd_error_of_current_exception();
  }
}

std::optional<JobRecord> SdApi::running() const {
  for (const auto& record : api_.library.jobs().open())
    if (record.origin == origin && record.state == JobState::running) return record;
  return {};
}

Response SdApi::progress(const Request& request) const {
  const auto skip = request.target.query.find("skip_current_image");
  const auto job = running();
  const auto steps = job ? api_.queue.progress(job->id) : std::nullopt;
  const double share = steps && steps->total > 0 ? double(steps->done) / double(steps->total) : 0;
  const double seconds = job ? double(now_ms() - job->began_ms) / 1000 : 0;
  const std::string preview =
      job && (skip == request.target.query.end() || ascii_lower(skip->second) != "true") ? api_.queue.preview_png(job->id) : "";
  const std::lock_guard lock(mutex_);
  return json_response({{"progress", share},
                        {"eta_relative", share > 0 ? seconds / share - seconds : 0},
                        {"state",
                         {{"skipped", false},
                          {"interrupted", job && interrupted_.contains(job->id)},
                          {"job", job ? "job " + std::to_string(job->id) : ""},
                          {"job_count", arriving_ + waiting() + (job ? 1 : 0)},
                          {"job_no", 0},
                          {"sampling_step", steps ? steps->done : 0},
                          {"sampling_steps", steps ? steps->total : 0}}},
                        {"current_image", preview.empty() ? Json() : Json(web::base64_from(preview))},
                        {"textinfo", steps && !steps->stage.empty() ? Json(steps->stage) : Json()}});
}

Response SdApi::interrupt() {
  if (const auto job = running()) {
    {
      const std::lock_guard lock(mutex_);
      interrupted_.insert(job->id);
    }
    try {
      api_.queue.cancel(job->id);
    } catch (const Error&) {  // it ended meanwhile
    }
  }
  return json_response(Json::object());
}

Response SdApi::take_options(const Request& request) {
  const Json body = sd_object(request.body);
  const std::lock_guard lock(options_mutex_);
  set_options(options_, body, api_.inventory);
  Response response = json_response(Json());
  if (const auto names = not_honoured(body, sd_option_fields()); !names.empty())
    response.headers.emplace_back(not_honoured_header, joined(names, ", "));
  return response;
}

void SdApi::add_routes(web::Router& router) {
  add(
      router, "POST", "txt2img",
      [this](const std::shared_ptr<const Request>& request, const web::Reply& reply) { draw(request, reply); },
      web::usual_body_bytes);
  add(router, "POST", "img2img", guarded(img2img), picture_body_bytes);
  add(router, "GET", "progress", guarded([this](const Request& request) { return progress(request); }));
  add(router, "POST", "interrupt", guarded([this](const Request&) { return interrupt(); }), small_body_bytes);
  add(router, "GET", "options", guarded([this](const Request&) {
        const std::lock_guard lock(options_mutex_);
        return json_response(json_of(options_, api_.inventory, default_model_));
      }));
  add(router, "POST", "options", guarded([this](const Request& request) { return take_options(request); }), small_body_bytes);
  add(router, "POST", "png-info", guarded([](const Request& request) {
        const Json body = sd_object(request.body);
        const Json& image = sd_value(body, "image");
        check(image.is_string(), ErrorKind::input, "[image in request] is {}, expected a picture in base64", image.type_name());
        return json_response(sd_png_info(image.get<std::string>()));
      }),
      picture_body_bytes);
  add_lists(router);
}

}  // namespace negativa::studio
