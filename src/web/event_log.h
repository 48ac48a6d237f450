#pragma once
// What happens in a studio, as a stream of numbered events (server-sent events, HTML Living Standard 9.2): whoever lost its
// connection goes on after the last id it saw.
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace negativa::web {

// Safe to use from several threads.
class EventLog {
 public:
  // first_id: larger than all ids of earlier starts of the program, such as a time.
  explicit EventLog(uint64_t first_id = 0, size_t held = 4096) : held_(held), last_id_(first_id) {}

  // data: JSON text of one line.
  void add(const std::string& type, const std::string& data);

  struct Batch {
    std::string text;  // as it goes over the wire; empty: nothing new
    uint64_t last_id = 0;
  };
  // At most `most` events after that id. An id that is no longer held, or of another start of the program, is answered with one
  // event "resync", after which the client asks for everything anew.
  Batch after(uint64_t id, size_t most = 256) const;
  uint64_t last_id() const;

  // `wake` is called after each event, from the thread that adds it, and must not call back. Returns a number for `forget`.
  int listen(std::function<void()> wake);
  void forget(int listener);
  bool has_listeners() const;

 private:
  const size_t held_;
  mutable std::mutex mutex_;
  std::deque<std::string> events_;  // the last of them has last_id_
  uint64_t last_id_;
  std::map<int, std::function<void()>> listeners_;
  int next_listener_ = 0;
};

}  // namespace negativa::web
