#pragma once
// One client of a Server. Costly to compile: included by the server's .cpp files only.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <fstream>
#include <optional>
#include <set>

#include "web/server.h"

namespace negativa::web {

class Connection;

// What connections share. Touched by the server's one thread alone, but for `pool`.
struct Shared {
  ServerSettings settings;
  const Router& router;
  EventLog& events;
  boost::asio::thread_pool pool;
  std::set<std::shared_ptr<Connection>> connections = {};
  size_t streams = 0;
  uint64_t uploads = 0;  // so far: names of their files

  Shared(ServerSettings given, const Router& routes, EventLog& log)
      : settings(std::move(given)), router(routes), events(log), pool(static_cast<size_t>(settings.handler_threads)) {}
};

// All members are called on the server's thread.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Shared& shared);
  ~Connection();
  void begin() { read_head(); }
  void close();

 private:
  using Outcome = boost::system::error_code;
  template <class... Arguments>
  auto then(void (Connection::*next)(Outcome, Arguments...)) {
    return [self = shared_from_this(), next](Outcome error, Arguments... arguments) { (self.get()->*next)(error, arguments...); };
  }

  void read_head();
  void on_head(Outcome error, size_t);
  std::optional<Response> fault_of_head() const;
  void take_request();
  std::optional<Response> prepare_body();
  void on_continue_sent(Outcome error, size_t);
  void read_body();
  void on_body(Outcome error, size_t);
  void handle();
  void watch();
  void on_readable(Outcome error);
  void answer(Response response);
  void write_head();
  void on_head_written(Outcome error, size_t);
  void write_more();
  void on_written(Outcome error, size_t);
  void finish_answer();
  void discard();
  void on_discarded(Outcome error, size_t);

  void begin_stream();
  void pump();
  void on_pumped(Outcome error, size_t);
  void beat();

  Shared& shared_;
  boost::beast::tcp_stream stream_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::buffer_body>> parser_;
  std::array<char, 65536> chunk_;
  std::shared_ptr<Request> request_;
  const Route* route_ = nullptr;
  std::ofstream upload_;

  Response response_;
  std::string out_;         // what is being written
  std::ifstream file_;      // of the answer
  uint64_t file_left_ = 0;  // bytes
  bool closed_ = false, answered_ = false, watching_ = false;

  bool is_stream_ = false, writing_ = false;
  uint64_t last_event_ = 0;
  int listener_ = -1;
  boost::asio::steady_timer heart_;
};

}  // namespace negativa::web
