#include "library/job_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

constexpr std::array<const char*, 6> state_names = {"queued", "held", "running", "done", "failed", "cancelled"};

JobState state_from(const std::string& name, const std::string& where) {
  const auto found = std::find(state_names.begin(), state_names.end(), name);
  check(found != state_names.end(), ErrorKind::file_format, "[{}] has the unknown state \"{}\"", where, name);
  return static_cast<JobState>(found - state_names.begin());
}

Json to_json(const JobRecord& record) {
  return {{"id", record.id},
          {"verb", record.verb},
          {"origin", record.origin},
          {"options", record.options_json},
          {"state", job_state_name(record.state)},
          {"starts", record.starts},
          {"made_ms", record.made_ms},
          {"began_ms", record.began_ms},
          {"ended_ms", record.ended_ms},
          {"result", record.result_json},
          {"error_kind", record.error_kind},
          {"error", record.error},
          {"held_because", record.held_because},
          {"notices", record.notices}};
}

JobRecord from_json(const Json& json, const std::string& where) {
  JobRecord record;
  record.id = get<uint64_t>(json, "id", where);
  record.verb = get<std::string>(json, "verb", where);
  record.origin = get<std::string>(json, "origin", where);
  record.options_json = get<std::string>(json, "options", where);
  record.state = state_from(get<std::string>(json, "state", where), where);
  record.starts = get<int64_t>(json, "starts", where);
  record.made_ms = get<int64_t>(json, "made_ms", where);
  record.began_ms = get<int64_t>(json, "began_ms", where);
  record.ended_ms = get<int64_t>(json, "ended_ms", where);
  record.result_json = get<std::string>(json, "result", where);
  record.error_kind = get<std::string>(json, "error_kind", where);
  record.error = get<std::string>(json, "error", where);
  record.held_because = get<std::string>(json, "held_because", where);
  record.notices = get<std::vector<std::string>>(json, "notices", where);
  return record;
}

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string job_state_name(JobState state) { return state_names[static_cast<size_t>(state)]; }
std::string job_folder_name(uint64_t id) { return fmt::format("{:06}", id); }

JobStore::JobStore(fs::path folder, uint64_t last, const std::function<void(const std::string&)>& notice)
    : folder_(std::move(folder)), last_(last) {
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const std::string stem = entry.path().stem().string();
    uint64_t id = 0;
    const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id);
    if (error != std::errc() || end != stem.data() + stem.size() || entry.path().extension() != ".json") continue;
    last_ = std::max(last_, id);
    try {
      JobRecord record = read(id);
      if (record.is_over())
        over_.push_back(id);
      else
        open_[id] = std::move(record);
    } catch (const Error& broken) {
      notice(fmt::format("job {} cannot be read and is left alone: {}", id, broken.what()));
    }
  }
  std::sort(over_.begin(), over_.end());
  for (auto& [id, record] : open_) {
    if (record.state != JobState::running) continue;
    record.state = record.starts >= most_deaths ? JobState::held : JobState::queued;
    if (record.state == JobState::held) {
      record.held_because = fmt::format("the program ended {} times while it ran; release it to try again", record.starts);
      notice(fmt::format("job {} ({}) is held: {}", id, record.verb, record.held_because));
    }
    write(record);
  }
}

fs::path JobStore::file_of(uint64_t id) const { return folder_ / (job_folder_name(id) + ".json"); }

void JobStore::write(const JobRecord& record) const {
  write_atomically(file_of(record.id), to_json(record).dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

JobRecord JobStore::read(uint64_t id) const {
  JobRecord record = from_json(read_json_file(file_of(id)), fmt::format("job {}", id));
  check(record.id == id, ErrorKind::file_format, "[job {}] has the number {}", id, record.id);
  return record;
}

uint64_t JobStore::add(JobRecord record) {
  const std::lock_guard lock(mutex_);
  record.id = last_ + 1;
  record.made_ms = now_ms();
  write(record);
  last_ = record.id;
  open_[record.id] = record;
  return record.id;
}

std::optional<JobRecord> JobStore::find(uint64_t id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = open_.find(id); found != open_.end()) return found->second;
  if (!std::binary_search(over_.begin(), over_.end(), id)) return {};
  return read(id);
}

std::vector<JobRecord> JobStore::open() const {
  const std::lock_guard lock(mutex_);
  std::vector<JobRecord> records;
  for (const auto& [id, record] : open_) records.push_back(record);
  return records;
}

std::vector<JobRecord> JobStore::newest(size_t limit, uint64_t before) const {
  const std::lock_guard lock(mutex_);
  std::vector<uint64_t> ids(over_.begin(), std::lower_bound(over_.begin(), over_.end(), before));
  ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(std::min(ids.size(), limit)));
  for (const auto& [id, record] : open_)
    if (id < before) ids.push_back(id);
  std::sort(ids.rbegin(), ids.rend());
  ids.resize(std::min(ids.size(), limit));
  std::vector<JobRecord> records;
  for (const auto id : ids) records.push_back(open_.contains(id) ? open_.at(id) : read(id));
  return records;
}

JobRecord JobStore::change(uint64_t id, const std::function<void(JobRecord&)>& change) {
  const std::lock_guard lock(mutex_);
  const auto found = open_.find(id);
  check(found != open_.end(), ErrorKind::input, "[job] there is no {} that waits or runs", id);
  JobRecord changed = found->second;
  change(changed);
  if (changed.state == JobState::running && changed.began_ms == 0) changed.began_ms = now_ms();
  if (changed.is_over()) changed.ended_ms = now_ms();
  write(changed);
  if (changed.is_over()) {
    open_.erase(found);
    over_.insert(std::upper_bound(over_.begin(), over_.end(), id), id);
  } else {
    found->second = changed;
  }
  return changed;
}

}  // namespace negativa
