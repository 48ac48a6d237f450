#pragma once
// The run folder: files are the truth. docs/formats.md, "Experiment run folder".
#include <memory>
#include <unordered_map>

#include "base/cancel.h"
#include "image/events.h"
#include "runs/run_plan.h"

namespace negativa {

namespace fs = std::filesystem;

class CellLocks;     // runs/cell_locks.h
class RecordHashes;  // runs/record_hashes.h

// A lock on one cell of a run, held while this lives; gone when the process is. Moved, not copied.
class CellLock {
 public:
  CellLock() = default;
  ~CellLock();
  CellLock(CellLock&& other) noexcept;
  CellLock& operator=(CellLock&& other) noexcept;

 private:
  friend class RunStore;
  CellLock(std::shared_ptr<CellLocks> locks, uint64_t byte) : locks_(std::move(locks)), byte_(byte) {}
  std::shared_ptr<CellLocks> locks_;  // outlive the store where they must
  uint64_t byte_ = 0;
};

enum class CellState { missing, whole, damaged };

// What lies in the folder of one cell.
struct CellLook {
  CellState state = CellState::missing;
  std::string why;                   // damaged: in one line that names the file
  std::optional<CellRecord> record;  // whole
};

// Safe from several threads unless said otherwise. Several processes may have one folder open.
class RunStore {
 public:
  static constexpr uint64_t hashed_up_to_bytes = 1 << 20;  // when a cell is looked at

  // Makes the folder where it is missing, or opens it, and removes what killed processes left half-written. A folder that has
  // something and is no run folder is refused. Throws ErrorKind::input: that, a file in its place, no permission;
  // ErrorKind::file_format or missing_key for a plan that cannot be read.
  explicit RunStore(fs::path folder, EventSink& events);
  ~RunStore();
  RunStore(const RunStore&) = delete;

  // An existing run folder, for reading alone: nothing in it is touched. Throws ErrorKind::input where there is none.
  static RunStore open(fs::path folder, EventSink& events);

  const fs::path& folder() const { return folder_; }
  // The frozen plan; absent before the first start.
  const std::optional<RunPlan>& frozen() const { return frozen_; }
  // Writes plan.json and experiment.toml. Before the first start the first of several processes wins: whoever comes second gets
  // the first's plan, by frozen(). Where frozen() is there already, the new plan takes its place (--update). Not beside other
  // calls.
  void freeze(const RunPlan& plan);

  // Whether the cell's file and record are there, belong to it and are whole. Only one of the two is missing: a kill between
  // them leaves that. Files up to hashed_up_to_bytes are hashed, larger ones are known by their size until use: checked_record().
  // Metrics of a picture whose bytes are others by now are damaged. Throws ErrorKind::input for what a person has to mend: no
  // permission.
  CellLook look(const PlannedCell& cell) const;
  CellState state(const PlannedCell& cell, std::string* why = nullptr) const;  // `why`: of a damaged one; else it stays
  std::optional<CellRecord> record(const PlannedCell& cell) const;             // of a whole cell
  fs::path path(const PlannedCell& cell) const { return folder_ / cell.file; }
  // Of a cell that is about to be used: its file is hashed, whatever its size. Throws ErrorKind::input, naming the file, where it
  // is not whole.
  CellRecord checked_record(const PlannedCell& cell, const CancelToken* cancel = nullptr) const;

  // Writes file and record, each under a temporary name and renamed; a whole cell that is there stays as it is. In the record
  // sha256, bytes, address, stage, format and program_version are filled in here, and the processor where it is empty. Metrics:
  // `bytes` is empty, the record's inputs name each picture among the cell's. No fsync: what a power cut damages is seen by its
  // hash and made again. Throws ErrorKind::machine (disk full …), ErrorKind::input (no permission).
  void write(const PlannedCell& cell, std::string_view bytes, CellRecord record);
  // The same for a file that lies under another name, such as a trained LoRA in work/: it is copied, not linked, so that what
  // damages one of the two leaves the other as it is.
  void adopt(const PlannedCell& cell, const fs::path& file, CellRecord record);

  // Locks the cell unless it is locked already, by another process or by this one; absent: it is. On file systems without locks
  // it says so once and hands out locks that hold within this process: a cell made twice is harmless.
  std::optional<CellLock> try_lock(const PlannedCell& cell);

  // Files in the folder's cell folders that belong to no cell of the plan: of earlier plans. Relative, sorted.
  std::vector<std::string> orphans(const RunPlan& plan) const;

 private:
  enum class Mode { write, read };
  RunStore(fs::path folder, EventSink& events, Mode mode);
  void check_folder(Mode mode) const;
  void keep_plan(RunPlan plan);
  void read_plan();
  void check_writable(std::string_view what) const;
  CellLook look_at_files(const PlannedCell& cell) const;
  std::vector<const PlannedCell*> measured_pictures(const PlannedCell& cell) const;
  void check_pictures(const PlannedCell& cell, CellLook& look) const;
  CellRecord completed(const PlannedCell& cell, CellRecord record) const;
  void put(const PlannedCell& cell, const fs::path* file, std::string_view bytes, const CellRecord& made);

  fs::path folder_;
  std::optional<RunPlan> frozen_;
  std::unordered_map<std::string, size_t> metrics_by_file_;  // of frozen_: numbers of cells
  std::shared_ptr<CellLocks> locks_;                         // none: for reading alone
  std::unique_ptr<RecordHashes> picture_hashes_;             // of pictures that metrics were measured of
};

// Which of n processes makes a cell.
struct Shard {
  int rank = 0, size = 1;
  bool waits = false;  // for what others make; else it is left
  // The cells of a stage are spread evenly: `index` is a cell's number within its stage.
  bool has(size_t index) const { return static_cast<int>(index % static_cast<size_t>(size)) == rank; }
};

}  // namespace negativa
