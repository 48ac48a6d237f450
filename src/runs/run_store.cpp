#include "runs/run_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <set>
#include <thread>
#include <unordered_set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/sha256.h"
#include "runs/address.h"
#include "runs/cell_files.h"
#include "runs/cell_locks.h"
#include "runs/record_hashes.h"

namespace negativa {

namespace {

constexpr uint64_t longest_plan_bytes = uint64_t{1} << 32;

// The cell's byte in the lock file: 62 bits of its address, so that the byte behind it is a file offset as well.
uint64_t lock_byte(const PlannedCell& cell) {
  uint64_t byte = 0;
  std::from_chars(cell.address.data(), cell.address.data() + std::min<size_t>(cell.address.size(), 16), byte, 16);
  return byte >> 2;
}

const RecipeInput* input_named(const CellRecord& record, const PlannedCell& cell) {
  const std::string name = fs::path(cell.file).filename().string();
  const auto found =
      std::find_if(record.inputs.begin(), record.inputs.end(), [&](const auto& input) { return input.name == name; });
  return found == record.inputs.end() ? nullptr : &*found;
}

template <class... Args>
CellLook damaged(fmt::format_string<Args...> why, Args&&... args) {
  return {CellState::damaged, fmt::format(why, std::forward<Args>(args)...), {}};
}

// Folders of cells may be links of a person's own within the run folder, never out of it.
void check_stays_inside(const fs::path& folder, const RunPlan& plan) {
  std::set<fs::path> parents;
  for (const auto& cell : plan.cells) parents.insert(fs::path(cell.file).parent_path());
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  for (const auto& parent : parents) {
    const fs::path place = fs::weakly_canonical(root / parent, error);
    check(!error && std::mismatch(root.begin(), root.end(), place.begin(), place.end()).first == root.end(), ErrorKind::input,
          "[{}] is a symbolic link that leads out of the run folder, expected a folder in it; take the link away",
          (folder / parent).string());
  }
}

// A name that a run without a plan does not have; empty: there is none. Whether there is a plan is asked after this: another
// process may be at work, which makes the lock file, a calibration, the plan and all else in this order.
std::string foreign_entry(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  check(!error, ErrorKind::input, "[{}] cannot be read: {}; choose another folder", folder.string(), error.message());
  const bool has_begun = fs::exists(folder / names::cells_lock);
  for (const auto& entry : entries) {
    const std::string found = entry.path().filename().string();
    const bool is_before_plan = found == names::cells_lock || (has_begun && found == names::calibration_folder);
    if (!is_before_plan && found.find(names::temporary_infix) == std::string::npos) return found;
  }
  return {};
}

}  // namespace

CellLock::~CellLock() {
  if (locks_) locks_->give_back(byte_);
}
CellLock::CellLock(CellLock&& other) noexcept : locks_(std::move(other.locks_)), byte_(other.byte_) {}
CellLock& CellLock::operator=(CellLock&& other) noexcept {
  std::swap(locks_, other.locks_);
  std::swap(byte_, other.byte_);
  return *this;
}

RunStore::RunStore(fs::path folder, EventSink& events) : RunStore(std::move(folder), events, Mode::write) {}

RunStore RunStore::open(fs::path folder, EventSink& events) { return RunStore(std::move(folder), events, Mode::read); }

RunStore::~RunStore() = default;

RunStore::RunStore(fs::path folder, EventSink& events, Mode mode)
    : folder_(std::move(folder)), picture_hashes_(std::make_unique<RecordHashes>()) {
  check_folder(mode);
  if (mode == Mode::write) {
    locks_ = std::make_shared<CellLocks>(folder_ / names::cells_lock, events);
    remove_left_files(folder_, std::time(nullptr));
  }
  if (!fs::exists(folder_ / names::plan_file)) return;
  read_plan();
  const fs::path toml = folder_ / names::plan_toml;  // a kill after the plan may have left it out
  if (mode == Mode::write && !fs::exists(toml)) write_atomically(toml, frozen_->toml);
}

// A folder is a run's where it has a plan, or no more than what comes before it: the lock file, then a calibration.
void RunStore::check_folder(Mode mode) const {
  check(!folder_.empty(), ErrorKind::input, "[run folder] got an empty name, expected a folder's");
  std::error_code error;
  const auto status = fs::status(folder_, error);
  const std::string name = folder_.string();
  check(!fs::exists(status) || fs::is_directory(status), ErrorKind::input,
        "[{}] is a file, expected a run's folder; choose another name", name);
  const bool has_plan = fs::exists(folder_ / names::plan_file, error);
  check(!error || error == std::errc::no_such_file_or_directory, ErrorKind::input, "[{}] cannot be read: {}", name,
        error.message());
  if (mode == Mode::read) {
    check(fs::exists(status), ErrorKind::input, "[{}] does not exist, expected the folder of a run", name);
    check(has_plan, ErrorKind::input, "[{}] has no {}, expected the folder of a run that negativa experiment run began", name,
          names::plan_file);
    return;
  }
  make_folder(folder_);
  check(::access(folder_.c_str(), W_OK | X_OK) == 0, ErrorKind::input, "[{}] cannot be written: {}; choose another folder", name,
        std::strerror(errno));
  const std::string foreign = foreign_entry(folder_);
  check(foreign.empty() || fs::exists(folder_ / names::plan_file), ErrorKind::input,
        "[{}] holds {} and no {}, expected a run's folder or an empty one; put the plan back, or choose another folder", name,
        foreign, names::plan_file);
}

void RunStore::read_plan() {
  const fs::path file = folder_ / names::plan_file;
  keep_plan(RunPlan::from_text(read_file(file, longest_plan_bytes), file.string()));
}

void RunStore::keep_plan(RunPlan plan) {
  check_stays_inside(folder_, plan);
  frozen_ = std::move(plan);
  metrics_by_file_.clear();
  for (size_t i = 0; i < frozen_->cells.size(); ++i)
    if (frozen_->cells[i].stage == CellStage::metrics) metrics_by_file_.try_emplace(frozen_->cells[i].file, i);
}

void RunStore::check_writable(std::string_view what) const {
  check(locks_ != nullptr, ErrorKind::input, "[{}] was opened for reading, expected for writing: {} cannot be written",
        folder_.string(), what);
}

void RunStore::freeze(const RunPlan& plan) {
  check_writable(names::plan_file);
  const fs::path file = folder_ / names::plan_file;
  plan.check_whole(file.string());
  NewFile text(file, plan.to_text());
  text.sync();  // a power cut may cost cells, which are made again, but not the seeds that were drawn
  bool is_taken = true;
  if (frozen_)
    text.put();
  else
    is_taken = text.put_if_first();
  if (is_taken)
    keep_plan(plan);
  else
    read_plan();
  write_atomically(folder_ / names::plan_toml, frozen_->toml);
}

CellLook RunStore::look_at_files(const PlannedCell& cell) const {
  const fs::path record_file = folder_ / cell.record_file(), file = path(cell);
  const FoundFile text = find_file(record_file, longest_record_bytes);
  if (text.kind == FoundFile::Kind::absent) return {};
  if (text.kind == FoundFile::Kind::other) return damaged("[{}] {}", record_file.string(), text.why);
  const bool is_row = cell.stage == CellStage::metrics;
  const FoundFile bytes = is_row ? FoundFile{} : find_file(file, hashed_up_to_bytes);
  if (!is_row && bytes.kind == FoundFile::Kind::absent) return {};
  if (bytes.kind == FoundFile::Kind::other) return damaged("[{}] {}", file.string(), bytes.why);
  CellLook look{CellState::whole, {}, {}};
  try {
    look.record = CellRecord::from_text(text.text, record_file.string());
  } catch (const Error& error) {
    return damaged("{}", error.what());
  }
  const CellRecord& record = *look.record;
  if (record.address != cell.address || record.stage != cell.stage)
    return damaged("[{}] is the record of another cell: its address is {}, expected {}", record_file.string(),
                   json_excerpt(record.address), cell.address);
  if (is_row) return look;
  if (record.bytes != bytes.bytes)
    return damaged("[{}] has {} bytes, its record says {}", file.string(), bytes.bytes, record.bytes);
  if (bytes.bytes <= hashed_up_to_bytes && record.sha256 != sha256_hex(bytes.text))
    return damaged("[{}] does not have the SHA-256 that its record says: it was changed or damaged", file.string());
  return look;
}

std::vector<const PlannedCell*> RunStore::measured_pictures(const PlannedCell& cell) const {
  std::vector<const PlannedCell*> pictures;
  const auto found = metrics_by_file_.find(cell.file);
  if (found == metrics_by_file_.end() || frozen_->cells[found->second].address != cell.address) return pictures;
  for (const size_t input : frozen_->cells[found->second].inputs)
    if (frozen_->cells[input].stage == CellStage::picture) pictures.push_back(&frozen_->cells[input]);
  return pictures;
}

// Metrics say which bytes they were measured of; a picture that had to be made again elsewhere may have others.
void RunStore::check_pictures(const PlannedCell& cell, CellLook& look) const {
  for (const PlannedCell* picture : measured_pictures(cell)) {
    const RecipeInput* used = input_named(*look.record, *picture);
    const std::string current = used ? picture_hashes_->of(folder_ / picture->record_file()) : std::string();
    if (used && (current.empty() || current == used->sha256)) continue;
    look = used ? damaged("[{}] was measured of another picture than {} is now", path(cell).string(), picture->file)
                : damaged("[{}] does not say of which bytes of {} it was measured", path(cell).string(), picture->file);
    return;
  }
}

CellLook RunStore::look(const PlannedCell& cell) const {
  CellLook look = look_at_files(cell);
  if (look.state == CellState::whole && cell.stage == CellStage::metrics) check_pictures(cell, look);
  return look;
}

CellState RunStore::state(const PlannedCell& cell, std::string* why) const {
  CellLook seen = look(cell);
  if (why && seen.state == CellState::damaged) *why = std::move(seen.why);
  return seen.state;
}

std::optional<CellRecord> RunStore::record(const PlannedCell& cell) const { return look(cell).record; }

CellRecord RunStore::checked_record(const PlannedCell& cell, const CancelToken* cancel) const {
  CellLook seen = look(cell);
  const std::string file = path(cell).string();
  check(seen.state != CellState::missing, ErrorKind::input,
        "[{}] is missing, or its record is; start the run again to have it made", file);
  check(seen.state != CellState::damaged, ErrorKind::input, "{}; start the run again to have it made anew", seen.why);
  check(seen.record->bytes <= hashed_up_to_bytes || sha256_file(file, cancel) == seen.record->sha256, ErrorKind::input,
        "[{}] does not have the SHA-256 that its record says: it was changed or damaged; remove it and start the run again",
        file);
  return std::move(*seen.record);
}

void RunStore::write(const PlannedCell& cell, std::string_view bytes, CellRecord record) {
  record.sha256 = cell.stage == CellStage::metrics ? "" : sha256_hex(bytes);
  record.bytes = bytes.size();
  check(cell.stage != CellStage::metrics || bytes.empty(), ErrorKind::input, "[{}] got {} bytes for metrics, expected none",
        cell.file, bytes.size());
  put(cell, nullptr, bytes, record);
}

void RunStore::adopt(const PlannedCell& cell, const fs::path& file, CellRecord record) {
  check(cell.stage != CellStage::metrics, ErrorKind::input, "[{}] got a file for metrics, expected a record alone", cell.file);
  record.sha256 = sha256_file(file);
  record.bytes = fs::file_size(file);
  put(cell, &file, {}, record);
}

CellRecord RunStore::completed(const PlannedCell& cell, CellRecord record) const {
  record.address = cell.address;
  record.stage = cell.stage;
  record.format = stage_format(cell.stage);
  record.program_version = Recipe::default_program_version();
  static const std::string processor = processor_name();
  if (record.processor.empty()) record.processor = processor;
  for (const PlannedCell* picture : measured_pictures(cell))
    check(input_named(record, *picture) != nullptr, ErrorKind::input, "[{}] names no picture {} among its inputs, expected it",
          cell.file, picture->file);
  return record;
}

// Two processes may write one cell at once: where there are no locks, or with the same rank. File and record are two renames, so
// the file of one may meet the record of the other, whose bytes differ on another processor. So each looks at the pair after its
// own last rename, and writes its own again where the two do not fit. Whoever renames last looks last: what stays is a pair that
// fits. Nobody replaces a whole pair: both files lie ready before the look, so that only the renames stand between.
void RunStore::put(const PlannedCell& cell, const fs::path* file, std::string_view bytes, const CellRecord& made) {
  check_writable(cell.file);
  const CellRecord record = completed(cell, made);
  CellLook last;
  for (int attempt = 0; attempt < 10; ++attempt) {
    if (look(cell).state == CellState::whole) return;
    std::optional<NewFile> data;
    if (file)
      data.emplace(path(cell), NewFile::CopyOf{*file});
    else if (cell.stage != CellStage::metrics)
      data.emplace(path(cell), bytes);
    NewFile text(folder_ / cell.record_file(), record.to_text());
    if (look(cell).state == CellState::whole) return;
    if (data) data->put();
    text.put();
    last = look_at_files(cell);
    if (last.state == CellState::whole) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + ::getpid() % 7 + 5 * attempt));
  }
  fail(ErrorKind::machine, "[{}] does not read back as it was written{}{}; is the disk sound?", path(cell).string(),
       last.why.empty() ? "" : ": ", last.why);
}

std::optional<CellLock> RunStore::try_lock(const PlannedCell& cell) {
  check_writable(cell.file);
  const uint64_t byte = lock_byte(cell);
  if (!locks_->take(byte)) return {};
  return CellLock(locks_, byte);
}

std::vector<std::string> RunStore::orphans(const RunPlan& plan) const {
  std::unordered_set<std::string> known;
  for (const auto& cell : plan.cells) {
    known.insert(cell.file);
    known.insert(cell.record_file().generic_string());
  }
  std::vector<std::string> orphans = files_of_cells(folder_);
  std::erase_if(orphans, [&](const std::string& file) { return known.contains(file); });
  std::sort(orphans.begin(), orphans.end());
  return orphans;
}

}  // namespace negativa
