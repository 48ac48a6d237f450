#pragma once
// HTTP/1.1 on the loopback device (RFC 9112), by Boost.Beast on one thread: a slow client costs a socket. Handlers run on a small
// pool of threads.
#include <chrono>
#include <memory>

#include "web/event_log.h"
#include "web/gate.h"
#include "web/router.h"

namespace negativa::web {

struct ServerSettings {
  uint16_t port = 0;  // 0: a free one
  Gate gate;
  std::filesystem::path uploads;                // folder of bodies that go to a file
  std::chrono::milliseconds deadline{10'000};   // of a request's head, of 64 KiB of its body, of an answer's
  std::chrono::milliseconds heartbeat{15'000};  // between comments of an event stream
  int handler_threads = 4;
  size_t connections = 256;  // more are closed at once
  size_t streams = 16;       // of events; more are answered 503
};

// Refuses, unread: heads over 32 KiB, bodies over their route's limit (413), chunked ones (411), two lengths, two Hosts.
class Server {
 public:
  // Listens on 127.0.0.1, and on ::1 where there is one; serves at once. Throws ErrorKind::input when the port is taken. `router`
  // and `events` outlive it.
  Server(ServerSettings settings, const Router& router, EventLog& events);
  ~Server();  // closes all connections; handlers that run end first. No Reply may be called afterwards
  Server(const Server&) = delete;

  uint16_t port() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace negativa::web
