#pragma once
// A running studio: library, queue and server together.
#include "sdapi.h"
#include "web/server.h"

namespace negativa::studio {

struct StudioSettings {
  std::filesystem::path library;
  std::vector<std::filesystem::path> folders;  // further roots
  std::vector<std::string> host_names;         // it may be called by, besides localhost
  uint16_t port = 0;                           // 0: a free one
  bool hold = false;                           // jobs wait until a person lets them go
  bool new_token = false;                      // whoever was let in before is not any more
  bool api = false;                            // programs of the webui are let in: /sdapi/v1
};

class Studio {
 public:
  // Serves at once. `notice` is told what a person should know. Throws ErrorKind::input: the library is in use, the port is
  // taken, a folder is missing.
  Studio(Engine& engine, const StudioSettings& settings, const Library::Notice& notice);
  ~Studio();  // jobs that run are put back into the queue

  uint16_t port() const { return server_->port(); }
  std::string url() const;  // with the token
  Queue& queue() { return *queue_; }
  Library& library() { return library_; }

 private:
  void add_roots(const Engine& engine, const StudioSettings& settings);
  void add_page();
  void add_sdapi(const Engine& engine);

  Library library_;
  Roots roots_;
  web::EventLog events_;
  std::unique_ptr<Queue> queue_;
  Inventory inventory_;
  boost::asio::thread_pool questions_;
  std::unique_ptr<Api> api_;
  std::unique_ptr<SdApi> sdapi_;  // nullptr: off
  web::Router router_;
  std::string token_;
  std::unique_ptr<web::Server> server_;
};

}  // namespace negativa::studio
