#pragma once
// The folder a training run owns beside its output: what it is, how far it came, and all that is needed to go on. docs/formats.md, "Run folder".
#include <memory>

#include "base/image.h"
#include "base/recipe.h"
#include "train/trained_parameters.h"
#include "train/optimizer.h"

namespace negativa {

struct TrainingState {
  int64_t step = 0;  // done
  std::optional<int64_t> best_step;
  std::optional<double> best_loss;
};

class RunFolder {
 public:
  // wrong.safetensors -> wrong.run, beside it.
  static std::filesystem::path beside(const std::filesystem::path& out);

  // Makes the folder, or opens the one of an earlier run. move_aside: an older run, its output included, gets another name first.
  // Throws ErrorKind::input: a run of other settings (the fields that differ), an output that belongs to no run, a run that is going on in another process.
  RunFolder(std::filesystem::path out, const Recipe& recipe, bool move_aside);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return folder_; }
  // The run came to its end and its output is there.
  bool is_finished() const;

  // The latest checkpoint goes into parameters and optimiser; absent: there is none. Lines of the CSV files behind it are dropped.
  // Throws ErrorKind::file_format for a checkpoint that is broken or of another run.
  std::optional<TrainingState> resume(TrainedParameters& parameters, AdamWState& optimizer);
  // Written whole or not at all; the one before the last is removed.
  void save(const TrainingState& state, const TrainedParameters& parameters, const AdamWState& optimizer);

  void add_loss(int64_t step, double loss, double learning_rate, double gradient_norm);
  void add_validation(int64_t step, double loss);
  void save_preview(int64_t step, const Image8& image, const TextChunks& text);
  void save_config(const std::string& toml);
  void finish(const RunRecord& record);
  std::filesystem::path best_file() const;
  const std::string& recipe_text() const { return recipe_text_; }

 private:
  void lock();
  std::vector<std::pair<int64_t, std::filesystem::path>> checkpoints() const;  // by step

  std::filesystem::path out_, folder_;
  std::string recipe_text_, recipe_hash_;
  int lock_ = -1;
};

}  // namespace negativa
