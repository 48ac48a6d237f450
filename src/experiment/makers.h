#pragma once
// One maker a stage: what turns planned cells into files. Each takes cells whose inputs are whole, and writes them through the
// store as they are done, so that a stop loses what is at work alone.
#include "experiment/plan.h"
#include "runs/run_store.h"

namespace negativa {

struct MakerRun {
  Engine& engine;
  const ExperimentPlan& plan;
  RunStore& store;
  const Caller& caller;
};

// Numbers of cells, locked by the caller. Throws ErrorKind::input naming the cell where an input is not what its record says.
void draw_pictures(const MakerRun& run, const std::vector<size_t>& cells);  // pictures of arms and of sets
void write_set(const MakerRun& run, size_t cell);
void train_lora_cell(const MakerRun& run, size_t cell);
void train_embedding_cell(const MakerRun& run, size_t cell);
void make_random_lora(const MakerRun& run, size_t cell);
void make_merged_lora(const MakerRun& run, size_t cell);
void measure_pictures(const MakerRun& run, const std::vector<size_t>& cells);

}  // namespace negativa
