#pragma once
// `negativa studio` as a person starts it, on a free port and a library of its own.
#include <functional>
#include <optional>

#include "cli/program.h"
#include "web/http_client.h"

namespace negativa::test {

class StudioProgram {
 public:
  StudioProgram();   // with its client let in
  ~StudioProgram();  // killed
  StudioProgram(const StudioProgram&) = delete;

  void kill_and_restart();      // SIGKILL; the client keeps its cookie
  int interrupt_and_restart();  // as Ctrl-C does; returns the exit code

  Answer post(const std::string& path, const std::string& body);  // path: after /api/v1/
  Json get(const std::string& path);
  Answer get_bytes(const std::string& path) { return client_->get("/api/v1/" + path, {cookie_}); }
  uint64_t submit(const std::string& verb, const Json& options);
  // A second client's stream of events, from now until `end` stands in it.
  std::string events_until(const std::string& end, const std::function<void()>& meanwhile);
  Json job_when_over(uint64_t id);  // or as it is after a minute
  uint16_t port() const { return port_; }
  const Workplace& place() const { return place_; }

 private:
  void start();

  Workplace place_;
  pid_t child_ = -1;
  uint16_t port_ = 0;
  std::string token_, cookie_;
  std::optional<HttpClient> client_;
};

}  // namespace negativa::test
