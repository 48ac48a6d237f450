#pragma once
// A run of two arms and two prompts, whose cells hold a line of text: what a run folder does with them is the same.
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <string>

#include "../base/temporary_folder.h"
#include "base/files.h"
#include "base/names.h"
#include "base/sha256.h"
#include "runs/address.h"
#include "runs/run_store.h"

namespace negativa {

// Which cell of small_plan() is what.
enum SmallCell : size_t { set_picture, set_manifest, lora, first_picture, first_row = 7, small_cells = 11 };

inline PlannedCell small_cell(const RunPlan& plan, CellStage stage, const std::string& stem, const std::string& extension,
                              std::vector<size_t> inputs = {}) {
  AddressParts parts{stage, R"({"of":")" + stem + R"("})", {}};
  for (const size_t input : inputs) parts.inputs.push_back(plan.cells[input].address);
  PlannedCell cell;
  cell.stage = stage;
  cell.address = cell_address(parts);
  cell.file = stem + "-" + cell.address.substr(0, short_address) + extension;
  cell.inputs = std::move(inputs);
  return cell;
}

// Pictures are drawn of the prompts, arm by arm; those of the second arm need the LoRA.
inline RunPlan small_plan() {
  RunPlan plan;
  plan.name = "small";
  plan.config_json = R"({"arms":{"article":{"lora":["wrong"]},"plain":{}},"default":{"steps":2}})";
  plan.toml = "# two arms\n[arms.plain]\n[arms.article]\nlora = [\"wrong\"]\n";
  plan.base_seeds = {18446744073709551615u};
  plan.inputs = {{"model", "emoji-xl", sha256_hex("model")}, {"judge", "judge", sha256_hex("judge")}};
  plan.damages = {"blur"};
  plan.prompts = {{"frog, \"green\"", "animal", "test", {5}}, {"pizza", "food", "test", {18446744073709551614u}}};
  plan.arms.resize(2);
  plan.arms[0].name = "plain";
  plan.arms[1].name = "article";
  plan.arms[1].overrides_json = R"({"lora":["wrong"]})";
  plan.arms[1].axes = {{"weight", "0.5"}};
  plan.arms[1].trainings = 1;
  plan.analysis.primary = "article - plain";
  plan.metric_names = {"damage", "right_object"};
  plan.cells.push_back(small_cell(plan, CellStage::set_picture, "sets/wrong/blurry", ".png"));
  plan.cells.push_back(small_cell(plan, CellStage::set, "sets/wrong/metadata", ".jsonl", {set_picture}));
  plan.cells.push_back(small_cell(plan, CellStage::lora, "lora/wrong-t0", ".safetensors", {set_manifest}));
  plan.cells.back().name = "wrong";
  for (int arm = 0; arm < 2; ++arm)
    for (int prompt = 0; prompt < 2; ++prompt) {
      const std::vector<size_t> inputs = arm == 0 ? std::vector<size_t>() : std::vector<size_t>{lora};
      const std::string stem = "pictures/" + plan.arms[static_cast<size_t>(arm)].name + (prompt == 0 ? "-frog" : "-pizza");
      plan.cells.push_back(small_cell(plan, CellStage::picture, stem, ".png", inputs));
      plan.cells.back().arm = arm;
      plan.cells.back().prompt = prompt;
      plan.cells.back().replicate = 0;
      plan.cells.back().training = arm - 1;
    }
  for (size_t picture = first_picture; picture < first_row; ++picture) {
    PlannedCell row = small_cell(plan, CellStage::metrics, "metrics/" + std::to_string(picture), ".json", {picture});
    row.arm = plan.cells[picture].arm;
    row.prompt = plan.cells[picture].prompt;
    row.replicate = 0;
    row.training = plan.cells[picture].training;
    plan.cells.push_back(row);
  }
  return plan;
}

inline std::string bytes_of(const PlannedCell& cell) { return "the bytes of " + cell.file; }

// A record as a maker fills it in, of the inputs as they lie in the folder.
inline CellRecord record_of(const RunStore& store, const PlannedCell& cell) {
  CellRecord record;
  for (const size_t input : cell.inputs) {
    const PlannedCell& used = store.frozen()->cells[input];
    const auto found = store.record(used);
    record.inputs.push_back({stage_name(used.stage), fs::path(used.file).filename(), found ? found->sha256 : sha256_hex("none")});
  }
  record.timings_s = {{"total", 2}};
  record.threads = 1;
  if (cell.stage == CellStage::metrics) record.metrics = {{"damage", 0.1}, {"right_object", std::nullopt}};
  return record;
}

inline void make(RunStore& store, size_t number) {
  const PlannedCell& cell = store.frozen()->cells[number];
  store.write(cell, cell.stage == CellStage::metrics ? "" : bytes_of(cell), record_of(store, cell));
}

// A run folder with the small plan, and every cell made where asked.
class SmallRun {
 public:
  explicit SmallRun(bool is_whole = true, const RunPlan& plan = small_plan()) : store(folder.path(), events) {
    store.freeze(plan);
    if (is_whole)
      for (size_t i = 0; i < plan.cells.size(); ++i) make(store, i);
  }
  const PlannedCell& cell(size_t number) const { return store.frozen()->cells.at(number); }
  fs::path file(size_t number) const { return store.path(cell(number)); }
  fs::path record_file(size_t number) const { return folder.path() / cell(number).record_file(); }
  CellState state(size_t number) const { return store.state(cell(number)); }
  std::string why(size_t number) const {
    std::string why;
    EXPECT_EQ(store.state(cell(number), &why), CellState::damaged) << cell(number).file;
    return why;
  }

  TemporaryFolder folder;
  EventSink events;
  RunStore store;
};

// Another file in its place, whatever was there.
inline void replace_file(const fs::path& file, const std::string& bytes) {
  fs::remove_all(file);
  std::ofstream(file, std::ios::binary) << bytes;
}

// Every file below, with its bytes.
inline std::map<std::string, std::string> all_files(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[entry.path().lexically_relative(folder)] = read_file(entry.path());
  return files;
}

// Files that are not yet, or never were, put in their places.
inline size_t temporary_files(const fs::path& folder) {
  size_t count = 0;
  for (const auto& [file, bytes] : all_files(folder)) count += contains(file, names::temporary_infix);
  return count;
}

// Another process, which ends as `work` returns (0: well) or throws.
template <class Work>
pid_t in_another_process(const Work& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  int code = 99;
  try {
    code = work();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  }
  ::_exit(code);
}

inline int exit_code_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A pipe between two processes: one says that something is done, the other waits for it.
class Signal {
 public:
  Signal() { EXPECT_EQ(::pipe(ends_), 0); }
  ~Signal() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Signal(const Signal&) = delete;
  void give(size_t times = 1) const {
    EXPECT_EQ(::write(ends_[1], std::string(times, 'x').data(), times), static_cast<ssize_t>(times));
  }
  void await() const {
    char one = 0;
    EXPECT_EQ(::read(ends_[0], &one, 1), 1);
  }

 private:
  int ends_[2] = {};
};

}  // namespace negativa
