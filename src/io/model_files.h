#pragma once
// A model as it lies on disk: a diffusers folder or a single .safetensors file in SGM naming (SDXL base or refiner). Whatever the
// file calls its tensors, the parts are handed out under our (diffusers) names. Opening reads no weights.
//
// A part is "unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler" or "model_index".
#include "base/places.h"
#include "io/weight_files.h"

namespace negativa {

// A UNet to be used instead of a model's own, as Lightning, Hyper and DMD2 are given away: a single file (diffusers or SGM
// naming, with or without model.diffusion_model., diffusion_model. or unet.), a UNet's folder, or a whole model.
struct UNetFiles {
  std::filesystem::path path;
  std::string name;
  std::string config_json = {};  // empty: nothing beside the weights says
  std::string config_name = {};  // as messages name it
  Weights weights = {};
  std::vector<std::filesystem::path> files = {};
  std::shared_ptr<const TensorFile> file = {};  // single file only
  std::string scheduler_json = {};              // what the file says of its training; empty: nothing
};
// Throws ErrorKind::input for a file of something else.
UNetFiles open_unet(const std::filesystem::path& path);

struct ModelFiles {
  enum Layout { folder, single_file };
  Layout layout = folder;
  std::filesystem::path path;
  std::string name;  // the folder's or file's own name, for records

  // False: the model does without it (a null component in model_index.json, the refiner's first text encoder).
  bool has(const std::string& part) const;

  // The part's configuration as JSON in diffusers' keys: config.json, scheduler_config.json or model_index.json of a folder; for
  // a single file what `negativa.config` in its metadata says, else what the shapes tell (model_config.h). Throws
  // ErrorKind::missing_key.
  std::string config_json(const std::string& part) const;
  std::string config_name(const std::string& part) const;  // as messages name it: "emoji-xl/unet/config.json"

  // Weights of unet, vae, text_encoder or text_encoder_2. Which files of a folder are taken: weight_files.h.
  // Throws ErrorKind::missing_key (no such part, no weights), ErrorKind::file_format (broken file, keys that belong to nothing).
  Weights weights(const std::string& part) const;
  WeightFiles weight_files(const std::string& part) const;  // folder only

  // The folder with the vocabulary of "tokenizer" or "tokenizer_2". For a single file: the folder of that name beside it, else
  // clip-tokenizer/<part> among the user's models, else among the bundled ones. Throws ErrorKind::missing_key.
  std::filesystem::path tokenizer_folder(const std::string& part) const;

  // That UNet from now on stands for the model's own. Where nothing beside its weights gives a configuration, it is the model's
  // if both have the same shapes, else what the shapes tell.
  void take_unet(UNetFiles other);

  // Every file the model is made of, sorted: weights, configs, tokenizers. For hashing. Without those of a UNet that was taken.
  std::vector<std::filesystem::path> files() const;

  // Keys of a single file that belong to no part (EMA copies, training state): left out, and worth a line to the user.
  std::vector<std::string> unused_keys() const;

  std::shared_ptr<const TensorFile> file;      // single file only
  std::map<std::string, bool> components;      // folder only: listed in model_index.json -> is not null
  Places places;                               // where else a vocabulary may lie
  std::shared_ptr<const UNetFiles> unet = {};  // taken; null: the model's own
};

// Throws ErrorKind::input (not there, or a model of another kind: one line that says which it looks like),
// ErrorKind::file_format.
ModelFiles open_model(const std::filesystem::path& path, const Places& places = {});

// A VAE to be used instead of a model's own: a single file (diffusers or SGM naming, with or without first_stage_model. or vae.),
// a VAE folder, or a model folder; or a TAESD's folder or file, of which the other half is taken from beside it (tiny_vae.h).
struct VaeFiles {
  std::filesystem::path path;
  std::string name;
  std::string config_json;
  std::string config_name;  // as messages name it
  Weights weights;
  std::vector<std::filesystem::path> files;
};
VaeFiles open_vae(const std::filesystem::path& path);

}  // namespace negativa
