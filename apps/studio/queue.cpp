#include "queue.h"

#include <algorithm>
#include <chrono>
#include <random>

#include "base/json.h"
#include "base/text.h"
#include "library/names.h"
#include "web/message.h"

namespace negativa::studio {

namespace {

constexpr size_t kept_notices = 100;
constexpr size_t most_last_previews = 8;
constexpr std::chrono::seconds preview_interest{10};  // after the last question for one

std::string one_line_json(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// What a picture's job is drawn with, so that it is the same picture when it is drawn again after a restart.
void set_seed(const Verb& verb, Json& options) {
  if (verb.name != "generate" || (options.contains("from") && !options["from"].is_null())) return;
  if (options.contains("seed") && !options["seed"].is_null()) return;
  std::random_device device;
  options["seed"] = device();
}

struct Fault {
  std::string kind, message;
};

Fault fault_of_current_exception() {
  const Json answer = parse_json(web::error_response_of_current_exception().body, "error");
  return {answer["error"]["kind"].get<std::string>(), answer["error"]["message"].get<std::string>()};
}

}  // namespace

// What a running job says: to whoever listens, and to the gallery.
class Queue::JobEvents : public EventSink {
 public:
  JobEvents(Queue& queue, const JobRecord& record, Active& active) : queue_(queue), id_(record.id), active_(active) {}

  void on_step(const StepEvent& event) override {
    {
      const std::lock_guard lock(queue_.mutex_);
      active_.progress = {event.stage, event.done, event.total};
    }
    add("step", {{"stage", event.stage}, {"done", event.done}, {"total", event.total}});
  }
  void on_notice(const std::string& text) override {
    const std::string shown = queue_.parts_.roots.without_paths(valid_utf8(text));
    {
      const std::lock_guard lock(queue_.mutex_);
      if (active_.notices.size() < kept_notices) active_.notices.push_back(shown);
    }
    add("notice", {{"text", shown}});
  }
  void on_preview(const PreviewEvent& event) override {
    if (!is_watched()) return;
    std::string png = encode_png(event.image);
    {
      const std::lock_guard lock(queue_.mutex_);
      active_.preview_png = std::move(png);
    }
    add("preview", {{"picture", event.picture}, {"step", event.step}});
  }
  void on_picture(const PictureEvent& event) override {
    Json data = {{"picture", event.picture}};
    if (is_gallery_picture(event.file)) data["name"] = queue_.parts_.library.gallery().add(gallery_name(event.file)).name;
    add("picture", data);
  }
  void on_loss(const LossEvent& event) override {
    add("loss", {{"step", event.step},
                 {"steps", event.steps},
                 {"loss", event.loss},
                 {"learning_rate", event.learning_rate},
                 {"gradient_norm", event.gradient_norm}});
  }
  void on_validation(const ValidationEvent& event) override { add("validation", {{"step", event.step}, {"loss", event.loss}}); }
  void on_checkpoint(const CheckpointEvent& event) override { add("checkpoint", {{"step", event.step}}); }
  int64_t preview_every() const override { return active_.preview_every; }

 private:
  // Somebody listens, or asks for the pictures themselves.
  bool is_watched() const {
    if (queue_.parts_.events.has_listeners()) return true;
    const std::lock_guard lock(queue_.mutex_);
    return std::chrono::steady_clock::now() - active_.preview_asked < preview_interest;
  }
  // An experiment's pictures lie in its run.
  bool is_gallery_picture(const std::filesystem::path& file) const {
    const auto& folder = queue_.parts_.library.folder();
    return !file.empty() && file.parent_path().parent_path() == folder / library_names::pictures;
  }
  static std::string gallery_name(const std::filesystem::path& file) {
    return file.parent_path().filename().string() + "/" + file.filename().string();
  }
  void add(const std::string& type, Json data) {
    data["job"] = id_;
    queue_.parts_.events.add(type, one_line_json(data));
  }

  Queue& queue_;
  const uint64_t id_;
  Active& active_;
};

Queue::Queue(const Parts& parts, bool hold) : parts_(parts), names_{parts.roots}, holds_(hold) {
  for (const auto& record : parts_.library.jobs().open())
    if (record.origin == "sdapi")  // whoever waited for it is gone
      parts_.library.jobs().change(record.id, [](JobRecord& job) { job.state = JobState::cancelled; });
  for (const Lane lane : {Lane::draw, Lane::train, Lane::files}) lanes_.emplace_back([this, lane] { serve(lane); });
}

Queue::~Queue() { stop(); }

void Queue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stops_ = true;
    for (const auto& [id, active] : active_) active->cancel.cancel();
  }
  changed_.notify_all();
  for (auto& lane : lanes_) lane.join();
  lanes_.clear();
}

std::unique_ptr<VerbRequest> Queue::prepared(const Verb& verb, const Json& options, const JobPlace& place,
                                             std::string* config) const {
  auto request = verb.make();
  set_from_json(request->fields(), options, {Source::request, "request"});
  if (config) *config = print_config(request->fields());
  set_paths(verb, request->fields(), names_, place);
  return request;
}

uint64_t Queue::submit(const Verb& verb, const Json& asked, const JobWishes& wishes) {
  check(verb.lane != Lane::ask, ErrorKind::input, "[verb] {} is answered at once; ask it instead", verb.name);
  check(asked.is_object(), ErrorKind::input, "[request] got {}, expected an object of settings", json_excerpt(asked));
  Json options = asked;
  set_seed(verb, options);
  set_run_name(verb, options);
  EventSink silence;
  const CancelToken never;
  Json named = options;
  set_out_name(verb, named, 0);
  const auto request = prepared(verb, named, {parts_.library, 0}, nullptr);
  const Running checking{parts_.engine, silence, never, &parts_.roots};
  request->prepare(checking);
  if (verb.lane != Lane::draw && verb.has_forecast && !makes_run(verb)) request->forecast(checking);
  JobRecord record;
  record.verb = verb.name;
  record.origin = wishes.origin;
  record.options_json = canonical_json(options);
  const std::lock_guard lock(mutex_);  // no lane takes it before its wishes are known
  check(!stops_, ErrorKind::machine, "[studio] is ending; try again when it runs");
  const uint64_t id = parts_.library.jobs().add(record);
  wishes_[id] = wishes;
  tell(*parts_.library.jobs().find(id));
  changed_.notify_all();
  return id;
}

Json Queue::ask(const Verb& verb, const Json& options, const CancelToken& cancel, bool forecast) {
  check(forecast ? verb.has_forecast : verb.lane == Lane::ask, ErrorKind::input, "[verb] {} has no {}", verb.name,
        forecast ? "forecast" : "answer at once; make a job of it");
  struct Notices : EventSink {
    std::vector<std::string> lines;
    void on_notice(const std::string& text) override { lines.push_back(text); }
  } events;
  Json given = options;
  if (forecast) set_run_name(verb, given);
  if (forecast) set_out_name(verb, given, 0);
  const Running running{parts_.engine, events, cancel, &parts_.roots};
  const auto request = prepared(verb, given, {parts_.library, 0}, nullptr);
  request->prepare(running);
  const Json result = forecast ? request->forecast(running) : request->run(running);
  return without_paths({{"result", result}, {"notices", events.lines}});
}

Json Queue::without_paths(Json json) const {
  if (json.is_string()) return parts_.roots.without_paths(json.get<std::string>());
  if (json.is_structured())
    for (auto& element : json) element = without_paths(std::move(element));
  return json;
}

Json Queue::describe(const JobRecord& record) const {
  Json json = {{"id", record.id},
               {"verb", record.verb},
               {"origin", record.origin},
               {"state", job_state_name(record.state)},
               {"options", parse_json(record.options_json, "options")},
               {"made_ms", record.made_ms},
               {"began_ms", record.began_ms ? Json(record.began_ms) : Json()},
               {"ended_ms", record.ended_ms ? Json(record.ended_ms) : Json()},
               {"notices", record.notices},
               {"result", record.result_json.empty() ? Json() : parse_json(record.result_json, "result")},
               {"error", Json()},
               {"progress", Json()},
               {"held_because", record.held_because.empty() ? Json() : Json(record.held_because)}};
  if (!record.error.empty()) json["error"] = {{"kind", record.error_kind}, {"message", record.error}};
  const std::lock_guard lock(mutex_);
  if (const auto found = active_.find(record.id); found != active_.end()) {
    const auto& progress = found->second->progress;
    json["progress"] = {{"stage", progress.stage}, {"done", progress.done}, {"total", progress.total}};
    json["notices"] = found->second->notices;
  }
  return json;
}

void Queue::tell(const JobRecord& record) {
  Json data = {{"job", record.id}, {"verb", record.verb}, {"state", job_state_name(record.state)}};
  if (!record.error.empty()) data["error"] = record.error;
  parts_.events.add("job", one_line_json(data));
}

void Queue::cancel(uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = active_.find(id); found != active_.end()) return found->second->cancel.cancel();
    if (!stops_) {
      const JobRecord record = parts_.library.jobs().change(id, [](JobRecord& job) { job.state = JobState::cancelled; });
      tell(record);
    }
  }
  finish(id, nullptr);
}

void Queue::release(uint64_t id) {
  const std::lock_guard lock(mutex_);
  const JobRecord record = parts_.library.jobs().change(id, [](JobRecord& job) {
    check(job.state == JobState::held, ErrorKind::input, "[job] {} is not held", job.id);
    job.state = JobState::queued;
    job.starts = 0;
    job.held_because.clear();
  });
  tell(record);
  changed_.notify_all();
}

void Queue::hold_all() {
  holds_ = true;
  parts_.events.add("queue", "{\"held\":true}");
}

void Queue::release_all() {
  {
    const std::lock_guard lock(mutex_);
    holds_ = false;
  }
  parts_.events.add("queue", "{\"held\":false}");
  changed_.notify_all();
}

std::optional<Progress> Queue::progress(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(id);
  return found == active_.end() ? std::nullopt : std::optional(found->second->progress);
}

std::string Queue::preview_png(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = active_.find(id);
  if (found == active_.end()) {
    const auto last = last_previews_.find(id);
    return last == last_previews_.end() ? "" : last->second;
  }
  found->second->preview_asked = std::chrono::steady_clock::now();
  return found->second->preview_png;
}

std::optional<JobRecord> Queue::next(Lane lane) const {
  if (holds_) return {};
  for (const auto& record : parts_.library.jobs().open())
    if (const Verb* verb = find_verb(record.verb); verb && verb->lane == lane && record.state == JobState::queued) return record;
  return {};
}

void Queue::serve(Lane lane) {
  while (true) {
    JobRecord record;
    {
      std::unique_lock lock(mutex_);
      std::optional<JobRecord> found;
      changed_.wait(lock, [&] { return stops_ || (found = next(lane)); });
      if (stops_) return;
      record = parts_.library.jobs().change(found->id, [](JobRecord& job) {
        job.state = JobState::running;
        ++job.starts;
      });
      active_[record.id] = std::make_shared<Active>();
      active_[record.id]->preview_every = wishes_[record.id].preview_every;
    }
    tell(record);
    work(record);
  }
}

void Queue::work(const JobRecord& record) {
  std::shared_ptr<Active> active;
  {
    const std::lock_guard lock(mutex_);
    active = active_.at(record.id);
  }
  JobEvents events(*this, record, *active);
  Running running{parts_.engine, events, active->cancel, &parts_.roots};
  try {
    const Verb& verb = *find_verb(record.verb);
    Json options = parse_json(record.options_json, "options");
    set_out_name(verb, options, record.id);
    const auto request = prepared(verb, options, {parts_.library, record.id}, &running.config_toml);
    request->prepare(running);
    const Json result = without_paths(request->run(running));
    if (verb.name == "compare")
      for (const std::string name : result["files"]) parts_.library.gallery().add(name.substr(name.find('/') + 1));
    finish(record.id, [&](JobRecord& job) {
      job.state = JobState::done;
      job.result_json = one_line_json(result);
    });
  } catch (...) {
    const Fault fault = fault_of_current_exception();
    const bool interrupted = fault.kind == web::kind_name(ErrorKind::cancelled);
    const bool ends = [&] {
      const std::lock_guard lock(mutex_);
      return stops_;
    }();
    finish(record.id, [&](JobRecord& job) {
      if (interrupted && ends) {  // the next start of the program goes on with it
        job.state = JobState::queued;
        --job.starts;
        return;
      }
      job.state = interrupted ? JobState::cancelled : JobState::failed;
      if (interrupted) return;
      job.error_kind = fault.kind;
      job.error = parts_.roots.without_paths(fault.message);
    });
  }
}

// Writes how a job ended, unless that has been done (change is empty), and tells who waited for it.
void Queue::finish(uint64_t id, const std::function<void(JobRecord&)>& change) {
  JobWishes wishes;
  JobRecord record;
  {
    const std::lock_guard lock(mutex_);
    const auto active = active_.find(id);
    if (change) {
      record = parts_.library.jobs().change(id, [&](JobRecord& job) {
        if (active != active_.end()) job.notices = active->second->notices;
        change(job);
      });
      tell(record);
    } else {
      record = parts_.library.jobs().find(id).value_or(JobRecord{});
    }
    if (active != active_.end()) {
      if (!active->second->preview_png.empty()) last_previews_[id] = active->second->preview_png;
      if (last_previews_.size() > most_last_previews) last_previews_.erase(last_previews_.begin());
      active_.erase(active);
    }
    if (const auto found = wishes_.find(id); found != wishes_.end()) {
      wishes = found->second;
      wishes_.erase(found);
    }
  }
  if (wishes.on_end) wishes.on_end(record);
}

}  // namespace negativa::studio
