#pragma once
// The page on which a person rates pairs of pictures without knowing whose they are, on a server that has nothing else.
// docs/rating.md.
#include <future>
#include <mutex>

#include "runs/rating_session.h"
#include "web/server.h"

namespace negativa::studio {

struct RateSettings {
  uint16_t port = 0;                    // 0: a free one
  std::vector<std::string> host_names;  // it may be called by, besides localhost
};

class RateServer {
 public:
  using Notice = std::function<void(const std::string&)>;

  // Serves at once. `session` outlives it and is touched by nobody else. `notice`, from any thread, is told what no answer may
  // say. Throws ErrorKind::input: the port is taken.
  RateServer(RatingSession& session, const RateSettings& settings, Notice notice);
  RateServer(const RateServer&) = delete;

  uint16_t port() const { return server_->port(); }
  std::string url() const;  // with the token
  bool is_over() const;     // all pairs are rated

 private:
  // A pair as it is looked at: under names that are used once.
  struct Showing {
    size_t index = 0;  // of the session's pairs
    std::string name, left, right;
    std::string left_bytes, right_bytes;
    bool left_sent = false, right_sent = false;
  };

  // Both files of a pair.
  using Pictures = std::pair<std::string, std::string>;

  void add_routes();
  Pictures made();    // of the session's pair; throws what reading and decoding do
  void make_ahead();  // those of the pair after it, while a person looks at this one
  void show();        // the session's pair, if it is not shown already
  web::Response state();
  web::Response picture(const web::Request& request);
  web::Response answer(const web::Request& request);
  web::Response undo(const web::Request& request);

  RatingSession& session_;
  const Notice notice_;
  mutable std::mutex mutex_;  // of session_ and showing_
  std::optional<Showing> showing_;
  size_t ahead_index_ = 0;
  std::future<Pictures> ahead_;  // of the pair ahead_index_; invalid: nothing is made ahead
  const std::string token_;
  web::EventLog events_;
  web::Router router_;
  std::unique_ptr<web::Server> server_;
};

}  // namespace negativa::studio
