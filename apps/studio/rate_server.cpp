#include "rate_server.h"

#include <algorithm>
#include <chrono>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "image/equal_pngs.h"
#include "page.h"
#include "web/secret.h"

namespace negativa::studio {

namespace {

using web::json_response;
using web::Request;
using web::Response;

constexpr uint64_t largest_picture_bytes = uint64_t{256} << 20, body_bytes = 4096;
constexpr int64_t longest_taken_ms = int64_t{7} * 24 * 3600 * 1000;

int64_t now_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Why a picture cannot be shown names its file, and so its arm: that goes to the terminal.
constexpr const char* not_shown = "[pictures] this pair cannot be shown; the terminal of negativa rate says why";

Image8 seen(const std::filesystem::path& file) {
  return see_picture(read_file(file, largest_picture_bytes), file.string()).image;
}

std::pair<std::string, std::string> pictures_of(const std::filesystem::path& folder, const PairToRate& pair) {
  return equal_pngs(seen(folder / pair.left_picture), seen(folder / pair.right_picture));
}

// An object with these keys and no others.
Json body_of(const Request& request, const std::vector<std::string>& keys) {
  Json body = parse_json(request.body, "request");
  check(body.is_object(), ErrorKind::input, "[request] got {}, expected a JSON object", json_excerpt(body));
  for (const auto& [key, value] : body.items())
    check(std::find(keys.begin(), keys.end(), key) != keys.end(), ErrorKind::input, "[request] has the unknown setting {}",
          json_excerpt(Json(key)));
  return body;
}

PairAnswer answer_of(const std::string& word) {
  const auto answer = pair_answer_from(word);
  check(answer.has_value(), ErrorKind::input, "[answer in request] got {}, expected left, right, equal or both_bad",
        json_excerpt(Json(word)));
  return *answer;
}

Response other_pair() {
  return web::error_response(409, "input", "[showing in request] is not the pair that is shown now; the page shows it anew");
}

}  // namespace

RateServer::RateServer(RatingSession& session, const RateSettings& settings, Notice notice)
    : session_(session), notice_(std::move(notice)), token_(web::random_secret()) {
  add_routes();
  web::ServerSettings server;
  server.port = settings.port;
  // Cookies do not know ports: one of each place that is rated.
  server.gate.cookie_name = "negativa-rate-" + sha256_hex(session.set().folder.string()).substr(0, 12);
  server.gate.cookie = web::random_secret();
  server.gate.token = token_;
  server.gate.host_names = settings.host_names;
  server_ = std::make_unique<web::Server>(server, router_, events_);
}

std::string RateServer::url() const { return fmt::format("http://127.0.0.1:{}/?token={}", port(), token_); }

bool RateServer::is_over() const {
  const std::lock_guard lock(mutex_);
  return session_.is_over();
}

void RateServer::add_routes() {
  for (const auto& file : rate_page_files()) {
    const web::Access access = file.path == "/" ? web::Access::page : web::Access::studio;
    router_.add({"GET", std::string(file.path), access, web::answering([&file](const Request&) {
                   Response response;
                   response.content_type = file.content_type;
                   response.body = file.bytes;
                   return response;
                 }),
                 0});
  }
  const auto route = [&](const char* method, const char* pattern, Response (RateServer::*handler)(const Request&),
                         uint64_t bytes) {
    router_.add({method, pattern, web::Access::studio, web::answering([this, handler](const Request& request) {
                   const std::lock_guard lock(mutex_);
                   return (this->*handler)(request);
                 }),
                 bytes});
  };
  router_.add({"GET", "/api/v1/rating", web::Access::studio, web::answering([this](const Request&) {
                 const std::lock_guard lock(mutex_);
                 return state();
               }),
               0});
  route("GET", "/api/v1/rating/pictures/{name}", &RateServer::picture, 0);
  route("POST", "/api/v1/rating/answer", &RateServer::answer, body_bytes);
  route("POST", "/api/v1/rating/undo", &RateServer::undo, body_bytes);
}

// Both are made before either can be asked for, so that no wait tells one from the other.
void RateServer::show() {
  if (session_.is_over()) return showing_.reset();
  if (showing_ && showing_->index == session_.index()) return;
  try {
    auto [left, right] = made();
    showing_ = Showing{session_.index(),     web::random_secret(), web::random_secret(),
                       web::random_secret(), std::move(left),      std::move(right)};
  } catch (const Error& error) {
    notice_(error.what());
    throw Error(error.kind(), not_shown);
  }
  make_ahead();
}

RateServer::Pictures RateServer::made() {
  if (ahead_.valid()) {
    auto ahead = std::move(ahead_);
    if (ahead_index_ == session_.index()) return ahead.get();
  }
  return pictures_of(session_.set().folder, session_.pair());
}

void RateServer::make_ahead() {
  const auto index = session_.following();
  if (!index) return;
  ahead_index_ = *index;
  ahead_ = std::async(std::launch::async, pictures_of, session_.set().folder, session_.pair_at(*index));
}

Response RateServer::state() {
  show();
  Json state = {{"answered", session_.answered()},
                {"pairs", session_.shown()},
                {"rater", session_.plan().rater},
                {"can_undo", session_.can_undo()},
                {"over", session_.is_over()}};
  if (session_.is_over()) {
    state["verdict"] = session_.set().verdict_command;
  } else {
    state["showing"] = showing_->name;
    state["prompt"] = session_.pair().prompt;
    state["left"] = showing_->left;
    state["right"] = showing_->right;
  }
  return json_response(state);
}

Response RateServer::picture(const Request& request) {
  const std::string& name = request.wild("name");
  Response response;
  response.content_type = "image/png";
  if (showing_ && name == showing_->left) {
    showing_->left_sent = true;
    response.body = showing_->left_bytes;
  } else if (showing_ && name == showing_->right) {
    showing_->right_sent = true;
    response.body = showing_->right_bytes;
  } else {
    return web::error_response(404, "input", "[picture] there is none of this name");
  }
  return response;
}

Response RateServer::answer(const Request& request) {
  const Json body = body_of(request, {"showing", "answer", "taken_ms"});
  const PairAnswer answer = answer_of(get<std::string>(body, "answer", "request"));
  const auto taken_ms = get<int64_t>(body, "taken_ms", "request");
  check(taken_ms >= 0 && taken_ms <= longest_taken_ms, ErrorKind::input, "[taken_ms in request] got {}, expected 0..{}", taken_ms,
        longest_taken_ms);
  if (!showing_ || get<std::string>(body, "showing", "request") != showing_->name) return other_pair();
  if (!showing_->left_sent || !showing_->right_sent)
    return web::error_response(409, "input", "[answer in request] came before both pictures were asked for");
  session_.answer(answer, now_ms() - taken_ms, taken_ms);
  return state();
}

Response RateServer::undo(const Request& request) {
  const Json body = body_of(request, {"showing"});
  const std::string showing = get_or<std::string>(body, "showing", "", "request");
  if (showing != (showing_ ? showing_->name : "")) return other_pair();
  session_.undo();
  return state();
}

}  // namespace negativa::studio
