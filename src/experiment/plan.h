#pragma once
// From the TOML to cells: every picture, LoRA and metric row that the experiment makes, each with the address that decides it.
#include "engine/session.h"
#include "experiment/experiment_file.h"

namespace negativa {

// All that a cell's maker needs beyond the cell itself.
struct PictureCell {
  DrawOptions draw;                     // as asked, seed set; lora and embedding as in the TOML
  PictureOptions resolved;              // width, sampler … of the model; lora as in the TOML
  std::vector<size_t> lora_cells;       // of draw.picture.lora, one each; no_cell: a file
  std::vector<size_t> embedding_cells;  // of draw.model.embedding, likewise
  std::string caption;                  // of a set's picture: its text in training
};
inline constexpr size_t no_cell = static_cast<size_t>(-1);

struct ExperimentPlan {
  RunPlan run;
  ExperimentFile file;
  std::vector<PictureCell> pictures;              // by cell number of run.cells: of pictures; empty entries elsewhere
  std::vector<std::string> recipe_json;           // by cell number: CellRecord::recipe_json
  std::vector<std::vector<RecipeInput>> outside;  // by cell number: files from outside that decide it
};

struct PlanRequest {
  const ExperimentFile& file;
  std::optional<RunPlan> earlier;  // of the run folder: its drawn seeds stay
};

// Opens models (no weights) for what they decide of a picture. Throws as read_experiment, Session and open_dataset do.
ExperimentPlan plan_experiment(Engine& engine, const PlanRequest& request, const Caller& caller);

}  // namespace negativa
