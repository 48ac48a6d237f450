#pragma once
// The queue of a library: a file a job, written whole whenever its state changes, so that a program that is killed at any moment
// comes back with it.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace negativa {

enum class JobState { queued, held, running, done, failed, cancelled };
std::string job_state_name(JobState state);

struct JobRecord {
  uint64_t id = 0;
  std::string verb;                 // "generate", "train lora"
  std::string origin = "page";      // who asked: "page" or "sdapi"
  std::string options_json = "{}";  // what was asked, with the seed that was drawn
  JobState state = JobState::queued;
  int64_t starts = 0;                               // how often it began
  int64_t made_ms = 0, began_ms = 0, ended_ms = 0;  // since 1970; 0: not yet
  std::string result_json;                          // of one that is done
  std::string error_kind, error;                    // of one that failed
  std::string held_because;
  std::vector<std::string> notices;

  bool is_over() const { return state == JobState::done || state == JobState::failed || state == JobState::cancelled; }
};

inline constexpr int64_t most_deaths = 2;  // of the program while a job ran: then it is held

// Safe to use from several threads.
class JobStore {
 public:
  // Jobs that ran when the program ended are queued again; one at whose work it ended twice is held.
  // Numbers of new ones are above `last`, the last whose pictures or files are there.
  JobStore(std::filesystem::path folder, uint64_t last, const std::function<void(const std::string&)>& notice);

  uint64_t add(JobRecord record);  // returns its number; on disk when it returns
  std::optional<JobRecord> find(uint64_t id) const;
  std::vector<JobRecord> open() const;  // neither done, failed nor cancelled, in order
  // The newest first, those with numbers below `before`.
  std::vector<JobRecord> newest(size_t limit, uint64_t before = UINT64_MAX) const;
  // Changes the record and writes it. Throws ErrorKind::input for a number that is not there.
  JobRecord change(uint64_t id, const std::function<void(JobRecord&)>& change);

 private:
  std::filesystem::path file_of(uint64_t id) const;
  void write(const JobRecord& record) const;
  JobRecord read(uint64_t id) const;

  const std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::vector<uint64_t> over_;  // sorted; their records are read when they are asked for
  std::map<uint64_t, JobRecord> open_;
  uint64_t last_;
};

std::string job_folder_name(uint64_t id);  // "000012"

}  // namespace negativa
