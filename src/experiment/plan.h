#pragma once
// From the TOML to cells: every picture, LoRA and metric row that the experiment makes, each with the address that decides it.
#include "engine/session.h"
#include "experiment/experiment_file.h"
#include "experiment/plan_judge.h"

namespace negativa {

inline constexpr size_t no_cell = static_cast<size_t>(-1);

// What the maker of a picture needs beyond the cell itself.
struct PictureCell {
  ModelOptions model;                   // as in the TOML, but for files that its names stand for in `embedding`
  PictureOptions picture;               // every question answered, seed set; `lora` likewise
  std::vector<size_t> lora_cells;       // of picture.lora, one each; no_cell: it is a file
  std::vector<size_t> embedding_cells;  // of model.embedding, likewise
};

// A set as it is trained on.
struct SetCell {
  std::filesystem::path folder;       // of a person; empty: the set's own in the run folder
  std::vector<std::string> files;     // of its pictures, within the folder
  std::vector<std::string> captions;  // of each
  std::vector<size_t> pictures;       // cells; none for a person's folder
};

// What a merged LoRA is merged of, and what a random one has its singular values from.
struct MergedPart {
  size_t cell = no_cell;
  std::filesystem::path file;  // where it is no cell
  PartWeights weight;
};

// A training: of [loras] or [embeddings].
struct TrainingCell {
  size_t table = 0;   // in ExperimentFile::loras or embeddings
  int64_t steps = 0;  // fewer than the table's for one of its checkpoints
  uint64_t seed = 0;
  std::string work;  // file in the run folder's work folder, without extension: the same for all checkpoints of one training
  size_t goes_on_from = no_cell;  // the LoRA that the training begins with, where this run makes it
};

struct ExperimentPlan {
  RunPlan run;
  ExperimentFile file;
  std::map<size_t, PictureCell> pictures;  // by number of the cell in run.cells
  std::map<size_t, SetCell> sets;
  std::map<size_t, TrainingCell> trainings;
  std::map<size_t, std::vector<MergedPart>> merges;  // of random LoRAs one part
  std::filesystem::path judge;                       // the folder of the judge that measures
  std::vector<std::string> recipe_json;              // of each cell: CellRecord::recipe_json
  std::vector<std::vector<RecipeInput>> outside;     // of each cell: files from outside that decide it
};

// The model of [default] as trainings open it; what the training's own table says of its computation stays.
TrainModelOptions training_model(const ModelOptions& draw, TrainModelOptions own);

struct PlanRequest {
  const ExperimentFile& file;
  const PlannedJudge& judge;
  const RunPlan* earlier = nullptr;  // of the run folder: its drawn seeds stay
};

// Opens models (no weights) for what they decide of a picture. Throws as read_experiment, Engine::open, plan_picture and
// open_dataset do.
ExperimentPlan plan_experiment(Engine& engine, const PlanRequest& request, const Caller& caller);

}  // namespace negativa
