#pragma once
// How a plan grows: cells are added when something asks for them, so that inputs stand before what is made of them.
#include "experiment/plan.h"
#include "runs/address.h"

namespace negativa {

// Opened for what it decides of a picture: no weights.
struct PlannedModel {
  std::shared_ptr<Models> models;
  std::vector<RecipeInput> inputs;  // model; refiner and VAE where there are any
  std::string recipe_json;          // its part of a cell's recipe
};

// A LoRA or an embedding that pictures use.
struct UsedFile {
  size_t cell = no_cell;
  std::string address;              // of the cell; of a file from outside its SHA-256
  RecipeInput outside;              // of a file from outside
  std::filesystem::path path = {};  // likewise
  std::string word = {};            // of an embedding, in prompts
};

// The plan that is being made and what is known of it so far.
struct PlanInProgress {
  Engine& engine;
  const ExperimentFile& file;
  const Caller& caller;
  ExperimentPlan plan = {};
  std::map<std::string, PlannedModel> models = {};          // by their options
  std::map<std::string, size_t> made = {};                  // sets, LoRAs and embeddings: "lora wrong 0" -> cell
  std::map<std::string, UsedFile> files = {};               // from outside, by path
  std::map<std::string, std::string> file_of_address = {};  // pictures that two arms share are drawn once

  Hashing hashing() const { return engine.hashing(&caller.cancel); }
  const PlannedModel& open(const ModelOptions& options);
  // `cell` with its address, which ends the file's name: "lora/wrong-t0" and ".safetensors" become
  // "lora/wrong-t0-1a2b3c4d.safetensors".
  size_t add(PlannedCell cell, const std::string& extension, const AddressParts& parts, std::vector<RecipeInput> outside);
};

// A picture's cell. `training`: which of the LoRAs it uses.
struct AskedCell {
  CellStage stage = CellStage::picture;
  ModelOptions model;
  PictureOptions picture;  // prompt and seed set
  int training = 0;
};
struct PicturePrint {  // what decides the picture
  PictureCell cell;
  AddressParts parts;
  std::vector<RecipeInput> outside;
  std::vector<size_t> inputs;
};
PicturePrint picture_print(PlanInProgress& progress, const AskedCell& asked);

// Cells of sets, LoRAs and embeddings, added where they are not there yet.
size_t set_cell(PlanInProgress& progress, const std::string& name);
UsedFile used_lora(PlanInProgress& progress, const std::string& name, int training);
UsedFile used_embedding(PlanInProgress& progress, const std::string& text, int training);

// The word that a prompt uses for an embedding of [embeddings].
std::string word_of(const EmbeddingTable& table);

// How an experiment's addresses have the instruction set: "auto" where it is all that the machine has and none was asked for.
std::string isa_of_record(const std::string& asked);

}  // namespace negativa
