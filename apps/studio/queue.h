#pragma once
// The jobs of a studio: kept in its library, worked on in lanes, told of as events.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <set>
#include <thread>

#include "file_fields.h"
#include "web/event_log.h"

namespace negativa::studio {

struct Progress {
  std::string stage;
  int64_t done = 0, total = 0;
};

// What a job asks for beside its settings.
struct JobWishes {
  std::string origin = "page";
  int64_t preview_every = 0;                               // steps; 0: none
  std::function<void(const JobRecord&)> on_end = nullptr;  // from any thread, once; not after a restart
};

// Safe to use from several threads.
class Queue {
 public:
  struct Parts {
    Engine& engine;
    Library& library;
    const Roots& roots;
    web::EventLog& events;
  };
  // hold: jobs wait until release_all().
  Queue(const Parts& parts, bool hold);
  ~Queue();  // stop()
  Queue(const Queue&) = delete;

  // Checks the settings first. Throws ErrorKind::input, in the command line's words, for what can be seen to be wrong before it
  // runs. Returns the job's number.
  uint64_t submit(const Verb& verb, const Json& options, const JobWishes& wishes = {});
  // Runs a verb of Lane::ask, or tells a verb's forecast, on the calling thread.
  Json ask(const Verb& verb, const Json& options, const CancelToken& cancel, bool forecast);

  Json describe(const JobRecord& record) const;  // as the API shows it
  void cancel(uint64_t id);                      // of one that waits or runs. Throws ErrorKind::input
  void release(uint64_t id);                     // of one that is held
  void hold_all();
  void release_all();
  bool holds() const { return holds_; }
  std::optional<Progress> progress(uint64_t id) const;  // of one that runs
  std::string preview_png(uint64_t id) const;           // the latest, for a while after the end too; empty: there is none

  // Stops what runs and puts it back into the queue, on disk when this returns.
  void stop();

 private:
  struct Active {
    CancelToken cancel;
    int64_t preview_every = 0;
    Progress progress;
    std::string preview_png;
    std::chrono::steady_clock::time_point preview_asked = std::chrono::steady_clock::now();
    std::vector<std::string> notices;
  };
  class JobEvents;

  std::unique_ptr<VerbRequest> prepared(const Verb& verb, const Json& options, const JobPlace& place, std::string* config) const;
  void serve(Lane lane);
  std::optional<JobRecord> next(Lane lane) const;
  void work(const JobRecord& record);
  void finish(uint64_t id, const std::function<void(JobRecord&)>& change);
  void tell(const JobRecord& record);
  Json without_paths(Json json) const;

  const Parts parts_;
  const Names names_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, std::shared_ptr<Active>> active_;
  // Of jobs that ended: a page that was told of a preview asks for it a moment later.
  std::map<uint64_t, std::string> last_previews_;
  std::map<uint64_t, JobWishes> wishes_;
  std::atomic<bool> holds_;
  bool stops_ = false;
  std::vector<std::thread> lanes_;
};

}  // namespace negativa::studio
