#include "web/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <charconv>
#include <utility>

#include "base/text.h"

namespace negativa::web {

namespace asio = boost::asio;
namespace http = boost::beast::http;

namespace {

constexpr uint32_t head_bytes = 32768;
constexpr std::chrono::milliseconds last_words{1000};

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

// The client's doing, as opposed to its going away.
bool is_malformed(boost::system::error_code error) {
  return error && error.category() == http::make_error_code(http::error::bad_method).category() &&
         error != http::error::end_of_stream && error != http::error::partial_message;
}

std::string head_text(const Response& response, uint64_t length, bool closes) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.find_first_of("\r\n") == std::string_view::npos) text += fmt::format("{}: {}\r\n", name, value);
  };
  if (!response.content_type.empty()) add("Content-Type", response.content_type);
  const auto is_given = [&](const auto& header) {
    return std::any_of(response.headers.begin(), response.headers.end(),
                       [&](const auto& own) { return own.first == header.first; });
  };
  for (const auto& header : safety_headers())
    if (!is_given(header)) add(header.first, header.second);
  bool has_cache_control = false;
  for (const auto& [name, value] : response.headers) {
    add(name, value);
    has_cache_control |= name == "Cache-Control";
  }
  if (!has_cache_control) add("Cache-Control", "no-store");
  if (!response.is_event_stream && response.status != 304 && response.status != 204)
    add("Content-Length", std::to_string(length));
  add("Connection", closes ? "close" : "keep-alive");
  return text + "\r\n";
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, Shared& shared)
    : shared_(shared), stream_(std::move(socket)), buffer_(2 * head_bytes), heart_(stream_.get_executor()) {}

Connection::~Connection() {
  if (request_ && !request_->body_file.empty()) {
    std::error_code ignored;
    std::filesystem::remove(request_->body_file, ignored);
  }
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  if (request_) request_->gone->cancel();
  if (listener_ >= 0) shared_.events.forget(std::exchange(listener_, -1));
  if (std::exchange(is_stream_, false)) --shared_.streams;
  heart_.cancel();
  Outcome ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
  stream_.close();
  shared_.connections.erase(shared_from_this());
}

void Connection::read_head() {
  answered_ = false;
  request_.reset();
  route_ = nullptr;
  parser_.emplace();
  parser_->header_limit(head_bytes);
  parser_->body_limit(boost::none);  // ours is asked before a byte of it is read
  stream_.expires_after(shared_.settings.deadline);
  http::async_read_header(stream_, buffer_, *parser_, then(&Connection::on_head));
}

void Connection::on_head(Outcome error, size_t) {
  if (error == http::error::header_limit)
    return answer(error_response(431, "input", fmt::format("[head] is longer than {} bytes", head_bytes)));
  if (is_malformed(error)) return answer(error_response(400, "input", "[head] is not HTTP/1.1: " + error.message()));
  if (error) return close();
  if (auto fault = fault_of_head()) return answer(std::move(*fault));
  take_request();
}

// What would be read in two ways by two programs.
std::optional<Response> Connection::fault_of_head() const {
  const auto& head = parser_->get();
  if (head.count(http::field::transfer_encoding) > 0)
    return error_response(411, "input", "[Transfer-Encoding] is not taken, expected a Content-Length");
  const auto length = head.equal_range(http::field::content_length);
  for (auto field = length.first; field != length.second; ++field)
    if (field != length.first || view(field->value()).find_first_not_of("0123456789") != std::string_view::npos)
      return error_response(400, "input", "[Content-Length] is not one number");
  if (head.count(http::field::host) != 1) return error_response(400, "input", "[Host] is not there once");
  if (head.version() != 11) return error_response(400, "input", "[head] is not HTTP/1.1");
  return {};
}

void Connection::take_request() {
  request_ = std::make_shared<Request>();
  const auto& head = parser_->get();
  request_->method = std::string(view(head.method_string()));
  for (const auto& field : head)
    request_->headers.emplace_back(ascii_lower(view(field.name_string())), std::string(view(field.value())));
  auto target = parse_target(view(head.target()));
  if (auto fault = shared_.settings.gate.fault_of_origin(*request_)) return answer(std::move(*fault));
  if (!target) return answer(error_response(400, "input", "[path] is no address that can be here"));
  request_->target = std::move(*target);
  auto found = shared_.router.find(*request_);
  if (!found.route) return answer(std::move(found.refusal));
  route_ = found.route;
  if (auto fault = shared_.settings.gate.fault_of_access(*request_, route_->access)) return answer(std::move(*fault));
  if (const auto* what = request_->header("expect"); what && ascii_lower(*what) != "100-continue")
    return answer(error_response(417, "input", "[Expect] is nothing that this server does, expected 100-continue"));
  if (auto fault = prepare_body()) return answer(std::move(*fault));
  if (!request_->header("expect")) return read_body();
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  stream_.expires_after(shared_.settings.deadline);
  asio::async_write(stream_, asio::buffer(go_on), then(&Connection::on_continue_sent));
}

std::optional<Response> Connection::prepare_body() {
  const auto length = parser_->content_length().value_or(0);
  if (length > route_->body_bytes)
    return error_response(413, "input", fmt::format("[body] has {} bytes, expected at most {}", length, route_->body_bytes));
  if (!route_->is_upload) return {};
  if (length == 0) return error_response(400, "input", "[body] is empty, expected the file's bytes");
  request_->body_file = shared_.settings.uploads / fmt::format("upload-{}", shared_.uploads++);
  upload_.open(request_->body_file, std::ios::binary | std::ios::trunc);
  if (!upload_) return error_response(500, "machine", "[upload] cannot be written; is the disk full?");
  return {};
}

void Connection::on_continue_sent(Outcome error, size_t) {
  if (error) return close();
  read_body();
}

void Connection::read_body() {
  if (parser_->is_done()) return handle();
  auto& body = parser_->get().body();
  body.data = chunk_.data();
  body.size = chunk_.size();
  stream_.expires_after(shared_.settings.deadline);
  http::async_read(stream_, buffer_, *parser_, then(&Connection::on_body));
}

void Connection::on_body(Outcome error, size_t) {
  if (error == boost::beast::error::timeout) return close();
  if (error && error != http::error::need_buffer) {
    if (!is_malformed(error)) return close();
    return answer(error_response(400, "input", "[body] is broken: " + error.message()));
  }
  const size_t got = chunk_.size() - parser_->get().body().size;
  if (route_->is_upload)
    upload_.write(chunk_.data(), static_cast<std::streamsize>(got));
  else
    request_->body.append(chunk_.data(), got);
  if (route_->is_upload && !upload_)
    return answer(error_response(500, "machine", "[upload] cannot be written; is the disk full?"));
  read_body();
}

void Connection::handle() {
  if (route_->is_upload) {
    upload_.close();
    if (!upload_) return answer(error_response(500, "machine", "[upload] cannot be written; is the disk full?"));
  }
  stream_.expires_never();
  watch();
  // The connection outlives its server only inside this reply, which then has nowhere to go.
  const Reply reply = [weak = weak_from_this(), request = request_, executor = stream_.get_executor()](Response response) {
    asio::post(executor, [weak, request, response = std::move(response)]() mutable {
      // A second answer, of a handler that threw after its first, must not become that of the connection's next request.
      if (const auto self = weak.lock(); self && self->request_ == request) self->answer(std::move(response));
    });
  };
  asio::post(shared_.pool, [request = std::shared_ptr<const Request>(request_), route = route_, reply] {
    try {
      route->handler(request, reply);
    } catch (...) {
      reply(error_response_of_current_exception());
    }
  });
}

// Whether the client closes while its request is worked on. Bytes of a next request end the watch.
void Connection::watch() {
  if (buffer_.size() > 0 || std::exchange(watching_, true)) return;
  stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, then(&Connection::on_readable));
}

void Connection::on_readable(Outcome error) {
  watching_ = false;
  if (error || closed_ || (answered_ && !is_stream_)) return;
  char byte = 0;
  const auto got = ::recv(stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) close();
}

void Connection::answer(Response response) {
  if (closed_ || std::exchange(answered_, true)) return;
  response_ = std::move(response);
  // Of a request whose body was not read, the next bytes are no request.
  if (!request_ || !route_ || !parser_->is_done()) response_.closes = true;
  if (!parser_->keep_alive()) response_.closes = true;
  if (request_ && route_ && route_->access == Access::page && shared_.settings.gate.came_by_url(*request_))
    response_.headers.emplace_back("Set-Cookie", shared_.settings.gate.set_cookie());
  if (response_.is_event_stream && request_->method != "HEAD") return begin_stream();
  write_head();
}

void Connection::write_head() {
  uint64_t length = response_.body.size();
  file_left_ = 0;
  if (!response_.file.empty()) {
    file_.close();
    file_.clear();
    file_.open(response_.file, std::ios::binary | std::ios::ate);
    if (!file_) {
      response_ = error_response(404, "input", "[file] is not there any more");
      length = response_.body.size();
    } else {
      length = file_left_ = static_cast<uint64_t>(file_.tellg());
      file_.seekg(0);
    }
  }
  out_ = head_text(response_, length, response_.closes);
  if (request_ && request_->method == "HEAD")
    file_left_ = 0;
  else if (response_.status != 304)
    out_ += response_.body;
  write_more();
}

void Connection::write_more() {
  stream_.expires_after(shared_.settings.deadline);
  // A deadline for each piece: how long a whole file takes depends on the line.
  const size_t piece = std::min(out_.size(), chunk_.size());
  asio::async_write(stream_, asio::buffer(out_.data(), piece), then(&Connection::on_written));
}

void Connection::on_written(Outcome error, size_t written) {
  if (error) return close();
  out_.erase(0, written);
  if (out_.empty() && file_left_ > 0) {
    out_.resize(static_cast<size_t>(std::min<uint64_t>(file_left_, 4 * chunk_.size())));
    file_.read(out_.data(), static_cast<std::streamsize>(out_.size()));
    if (file_.gcount() != static_cast<std::streamsize>(out_.size())) return close();  // it became shorter
    file_left_ -= out_.size();
  }
  if (!out_.empty()) return write_more();
  finish_answer();
}

void Connection::finish_answer() {
  file_.close();
  if (request_ && !request_->body_file.empty()) {
    std::error_code ignored;
    std::filesystem::remove(request_->body_file, ignored);
  }
  if (!response_.closes) return read_head();
  if (parser_->is_done()) return close();
  // Bytes that nobody read would make the close a reset, which takes the answer from a client that is still sending.
  Outcome ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(std::min(shared_.settings.deadline, last_words));
  discard();
}

void Connection::discard() { stream_.async_read_some(asio::buffer(chunk_), then(&Connection::on_discarded)); }

void Connection::on_discarded(Outcome error, size_t) {
  if (error) return close();
  discard();
}

void Connection::begin_stream() {
  if (shared_.streams >= shared_.settings.streams) {
    response_ = error_response(503, "machine", "[events] too many streams are open; close a page of the studio");
    response_.headers.emplace_back("Retry-After", "15");
    return write_head();
  }
  ++shared_.streams;
  is_stream_ = true;
  last_event_ = shared_.events.last_id();
  if (const auto* last = request_->header("last-event-id")) {
    uint64_t id = 0;
    const auto [end, error] = std::from_chars(last->data(), last->data() + last->size(), id);
    last_event_ = error == std::errc() && end == last->data() + last->size() ? id : 0;
  }
  listener_ = shared_.events.listen([weak = weak_from_this(), executor = stream_.get_executor()] {
    asio::post(executor, [weak] {
      if (const auto self = weak.lock()) self->pump();
    });
  });
  out_ = head_text(response_, 0, true) + "retry: 1000\n\n";
  writing_ = true;
  stream_.expires_after(shared_.settings.deadline);
  asio::async_write(stream_, asio::buffer(out_), then(&Connection::on_pumped));
  beat();
}

void Connection::pump() {
  if (closed_ || writing_) return;
  auto batch = shared_.events.after(last_event_);
  if (batch.text.empty()) return;
  last_event_ = batch.last_id;
  out_ = std::move(batch.text);
  writing_ = true;
  stream_.expires_after(shared_.settings.deadline);
  asio::async_write(stream_, asio::buffer(out_), then(&Connection::on_pumped));
}

void Connection::on_pumped(Outcome error, size_t) {
  writing_ = false;
  if (error) return close();
  stream_.expires_never();
  pump();
}

void Connection::beat() {
  heart_.expires_after(shared_.settings.heartbeat);
  heart_.async_wait([self = shared_from_this()](Outcome error) {
    if (error || self->closed_) return;
    if (!self->writing_) {
      self->out_ = ": still here\n\n";
      self->writing_ = true;
      self->stream_.expires_after(self->shared_.settings.deadline);
      asio::async_write(self->stream_, asio::buffer(self->out_), self->then(&Connection::on_pumped));
    }
    self->beat();
  });
}

}  // namespace negativa::web
