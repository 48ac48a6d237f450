#pragma once
// The run folder: files are the truth. docs/formats.md, "Experiment run folder".
#include "base/cancel.h"
#include "image/events.h"
#include "runs/run_plan.h"

namespace negativa {

namespace fs = std::filesystem;

// A lock on one cell of a run, held while this lives; gone when the process is. Moved, not copied.
class CellLock {
 public:
  CellLock() = default;
  ~CellLock();
  CellLock(CellLock&& other) noexcept;
  CellLock& operator=(CellLock&& other) noexcept;

 private:
  friend class RunStore;
  CellLock(int fd, uint64_t byte) : fd_(fd), byte_(byte) {}
  int fd_ = -1;  // of the store; not owned
  uint64_t byte_ = 0;
};

enum class CellState { missing, whole, damaged };

// Safe from several threads unless said otherwise. Several processes may have one folder open.
class RunStore {
 public:
  // Makes the folder where it is missing, or opens it. A folder that has something and no plan.json is refused. Throws
  // ErrorKind::input; ErrorKind::file_format for a plan that cannot be read.
  explicit RunStore(fs::path folder, EventSink& events);
  ~RunStore();
  RunStore(const RunStore&) = delete;

  // An existing run folder, for reading alone. Throws ErrorKind::input where there is none.
  static RunStore open(fs::path folder, EventSink& events);

  const fs::path& folder() const { return folder_; }
  // The frozen plan; absent before the first start.
  const std::optional<RunPlan>& frozen() const { return frozen_; }
  // Writes plan.json and experiment.toml. Two processes that begin at once freeze one plan: whoever comes second gets the
  // first's, by frozen().
  void freeze(const RunPlan& plan);

  // Whether the cell's file and record are there, belong to it and are whole. Files up to 1 MiB are hashed, larger ones are
  // known by their size until use. `why` says what is damaged, in one line that names the file.
  CellState state(const PlannedCell& cell, std::string* why = nullptr) const;
  std::optional<CellRecord> record(const PlannedCell& cell) const;  // of a whole cell
  fs::path path(const PlannedCell& cell) const { return folder_ / cell.file; }

  // Writes file and record (file first), each under a temporary name and renamed; a whole cell that is there stays as it is.
  // record.sha256, bytes, address, stage and program_version are filled in here. Metrics: `bytes` is empty.
  // No fsync: what a power cut damages is seen by its hash and made again.
  void write(const PlannedCell& cell, std::string_view bytes, CellRecord record);
  // The same for a file that lies in the folder already under another name, such as a trained LoRA in work/: it is linked or
  // copied.
  void adopt(const PlannedCell& cell, const fs::path& file, CellRecord record);

  // Locks the cell unless another process has it; absent: another has. On file systems without locks it says so once and hands
  // out locks of nothing: a cell made twice is harmless. By one thread of a process for one cell.
  std::optional<CellLock> try_lock(const PlannedCell& cell);

  // Files in the folder's cell folders that belong to no cell of the plan: of earlier plans.
  std::vector<std::string> orphans(const RunPlan& plan) const;

 private:
  fs::path folder_;
  EventSink& events_;
  std::optional<RunPlan> frozen_;
  int lock_fd_ = -1;
  bool has_locks_ = true;
};

// Which of n processes makes a cell.
struct Shard {
  int rank = 0, size = 1;
  bool waits = false;  // for what others make; else it is left
  // The cells of a stage are spread evenly: `index` is a cell's number within its stage.
  bool has(size_t index) const { return static_cast<int>(index % static_cast<size_t>(size)) == rank; }
};

}  // namespace negativa
