#pragma once
// /sdapi/v1: the API of AUTOMATIC1111's webui, as far as the studio draws, for the programs that speak it. docs/studio.md, "For
// programs of the webui".
#include <condition_variable>
#include <set>
#include <thread>

#include "api.h"
#include "sdapi_options.h"

namespace negativa::studio {

struct SdRequest;

// Safe to use from several threads. Outlived by `api` and its parts.
class SdApi {
 public:
  static constexpr size_t most_waiting = 32;  // jobs of this API; more are answered 503

  // default_model: ROOT/NAME of the one that is drawn with where none is named.
  SdApi(Api& api, std::string default_model);
  ~SdApi();
  SdApi(const SdApi&) = delete;

  void add_routes(web::Router& router);

 private:
  void draw(const std::shared_ptr<const web::Request>& request, const web::Reply& reply);
  // The job's number; 0: the client is gone. Throws what is wrong with the request.
  uint64_t submit(const web::Request& request, const web::Reply& reply);
  size_t waiting() const;  // of this API's jobs; called with mutex_ held
  web::Response answer_of(const SdRequest& asked, const JobRecord& record);
  std::optional<JobRecord> running() const;  // of this API's jobs
  web::Response progress(const web::Request& request) const;
  web::Response interrupt();
  web::Response take_options(const web::Request& request);
  void add_lists(web::Router& router);
  void watch();

  Api& api_;
  const std::string default_model_;
  mutable std::mutex options_mutex_;
  SdOptions options_;
  mutable std::mutex mutex_;                                     // of what follows
  size_t arriving_ = 0;                                          // requests that will be jobs
  std::map<uint64_t, std::shared_ptr<const CancelToken>> open_;  // jobs, and whether their clients are gone
  std::set<uint64_t> interrupted_;
  bool stops_ = false;
  std::condition_variable changed_;
  std::thread watcher_;  // takes jobs out whose client is gone
};

}  // namespace negativa::studio
