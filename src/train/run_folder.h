#pragma once
// The folder a training run owns beside its output: what it is, how far it came, and all that is needed to go on.
// docs/formats.md, "Run folder".
#include <filesystem>
#include <optional>
#include <utility>

#include "base/file_lock.h"
#include "base/recipe.h"
#include "image/image.h"
#include "train/optimizer.h"
#include "train/trained_parameters.h"

namespace negativa {

struct TrainingState {
  int64_t step = 0;      // done
  double last_loss = 0;  // of that step
  std::optional<int64_t> best_step;
  std::optional<double> best_loss;

  // A smaller validation loss than any before; one that is not finite never is.
  bool is_better(double validation_loss) const;
};

class RunFolder {
 public:
  // wrong.safetensors -> wrong.run, beside it.
  static std::filesystem::path beside(const std::filesystem::path& out);

  // Makes the folder, or opens the one of an earlier run, and holds its lock while this lives. A recipe that differs in nothing
  // but `steps` goes on with the run, unless every step's weights follow from that number (cosine). move_aside: an older run, its
  // output included, gets another name first. Throws ErrorKind::input: a run of other settings (the fields that differ), fewer
  // steps than are done, an output that belongs to no run, a run that is going on in another process.
  RunFolder(std::filesystem::path out, const Recipe& recipe, bool move_aside);
  RunFolder(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  // The run came to the end of this many steps, and its output is there.
  bool is_finished() const;
  int64_t steps_done() const { return steps_done(out_); }       // of the latest checkpoint
  static int64_t steps_done(const std::filesystem::path& out);  // of a run that is not opened; 0: there is none

  // The latest checkpoint goes into parameters and optimiser; absent: there is none. What the CSV files and previews tell of
  // later steps is dropped, and the folder's recipe becomes this run's. Throws ErrorKind::file_format for a checkpoint that is
  // broken or of another run.
  std::optional<TrainingState> resume(TrainedParameters& parameters, AdamWState& optimizer);
  // Written whole or not at all; the one before the last is removed.
  void save(const TrainingState& state, const TrainedParameters& parameters, const AdamWState& optimizer);

  // A line that cannot be written whole is not written at all.
  void add_loss(int64_t step, double loss, double learning_rate, double gradient_norm);
  void add_validation(int64_t step, double loss);
  bool has_validation(int64_t step) const;
  void save_preview(int64_t step, const Image8& image, const TextChunks& text);
  bool has_preview(int64_t step) const;
  void save_config(const std::string& toml);
  void finish(const RunRecord& record);
  std::filesystem::path best_file() const;
  const std::string& recipe_text() const { return recipe_text_; }
  // Empty: nobody else trains here while this lives.
  const std::string& why_not_locked() const { return lock_.why_not(); }

 private:
  FileLock lock() const;
  void move_aside() const;
  void remove_unfinished() const;
  void check_same_run(const Recipe& recipe) const;
  void remove_later_previews(int64_t step) const;
  TrainingState read_checkpoint(const std::filesystem::path& path, TrainedParameters& parameters, AdamWState& optimizer) const;
  static std::vector<std::pair<int64_t, std::filesystem::path>> checkpoints(const std::filesystem::path& folder);  // by step
  std::filesystem::path preview_file(int64_t step) const;

  std::filesystem::path out_, folder_;
  std::string recipe_text_, run_hash_;  // the hash: of what a longer run has in common with this one
  FileLock lock_;
  std::string found_recipe_;  // as it stood in the folder
};

}  // namespace negativa
