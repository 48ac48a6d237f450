#pragma once
// `negativa studio` as a person starts it, on a free port and a library of its own.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>

#include "cli/program.h"
#include "web/http_client.h"

namespace negativa::test {

class StudioProgram {
 public:
  // With its client let in. more: further arguments; with any, what it writes to stderr goes to place() / "stderr".
  explicit StudioProgram(std::vector<std::string> more = {});
  ~StudioProgram();  // killed
  StudioProgram(const StudioProgram&) = delete;

  void kill_and_restart();                                  // SIGKILL; the client keeps its cookie
  void restart_with(const std::vector<std::string>& more);  // killed; other further arguments
  void kill();                                              // SIGKILL, from any thread; kill_and_restart() follows
  int interrupt_and_restart();                              // as Ctrl-C does; returns the exit code

  Answer post(const std::string& path, const std::string& body);  // path: after /api/v1/
  Answer send(const std::string& method, const std::string& path, const std::string& content_type, const std::string& body);
  // An open stream of events, as far as its answer's head; `more`: headers, each with its "\r\n".
  std::unique_ptr<RawClient> stream(const std::string& more = "");
  Json get(const std::string& path);
  Answer get_bytes(const std::string& path) { return client_->get("/api/v1/" + path, {cookie_}); }
  Answer remove(const std::string& path) { return client_->send("DELETE", "/api/v1/" + path, {cookie_}); }
  uint64_t submit(const std::string& verb, const Json& options);
  // A second client's stream of events, from now until `end` stands in it.
  std::string events_until(const std::string& end, const std::function<void()>& meanwhile);
  Json job_when_over(uint64_t id);  // or as it is after a minute
  uint16_t port() const { return port_; }
  std::string token() const { return token_; }  // of the printed address
  std::string tools_token() const;              // of the library's folder
  const Workplace& place() const { return place_; }

 private:
  void start();

  Workplace place_;
  std::vector<std::string> more_;
  pid_t child_ = -1;
  uint16_t port_ = 0;
  std::string token_, cookie_;
  std::optional<HttpClient> client_;
};

// One studio for all tests of a suite.
class SharedStudio : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { studio_ = std::make_unique<StudioProgram>(); }
  static void TearDownTestSuite() { studio_.reset(); }
  static StudioProgram& studio() { return *studio_; }

 private:
  static inline std::unique_ptr<StudioProgram> studio_;
};

}  // namespace negativa::test
