#pragma once
// What a single file says of how its model was trained: SDXL's checkpoints carry no scheduler. Told by tensors beside the weights
// (read by ComfyUI, Forge, stable-diffusion.cpp) and by metadata (Stability's model specification, ComfyUI's and kohya's fields).
#include "io/safetensors.h"

namespace negativa {

struct PredictionMarks {
  struct Edm {
    double sigma_min, sigma_max, sigma_data;
    const char *scheduler_class, *sigma_schedule;
  };
  std::string type = "epsilon";  // diffusers' name
  std::string type_source;       // "tensor v_pred"; empty: nothing says
  std::string unclear;           // a line why the file does not tell; empty: it does
  bool zero_terminal_snr = false;
  std::string zero_snr_source;
  std::optional<Edm> edm;                         // CosXL, Playground 2.5
  std::vector<double> latents_mean, latents_std;  // Playground 2.5; else empty
};

// Throws ErrorKind::file_format for a mark that holds no number.
PredictionMarks read_prediction_marks(const TensorFile& file);
bool is_prediction_mark(std::string_view key);

// scheduler_config.json for it, with the keys of our own that schedule/scheduler_config.h reads.
std::string scheduler_config_json(const PredictionMarks& marks);

// The same as it goes into a folder: without the keys of our own. Throws ErrorKind::input where they say that the prediction is
// unclear.
std::string plain_scheduler_config(const std::string& config_json);

// The way back: the tensors beside the weights of a single file that say what these configs (as texts) say of the prediction. A
// model that predicts epsilon, or the sample, for which there is no such tensor, has none.
std::map<std::string, Tensor> prediction_mark_tensors(const std::string& scheduler_json, const std::string& vae_json);

// What name or metadata say of a model that was distilled to few steps: "its name says turbo". file: nullptr for a folder.
std::optional<std::string> sign_of_distilling(const std::string& name, const TensorFile* file);
// For how many steps, where name or metadata tell: "sdxl_lightning_4step_unet".
std::optional<int> distilled_steps(const std::string& name, const TensorFile* file);
// "sdxl_lightning_1step_unet_x0": the name says that it predicts the sample.
bool says_x0(const std::string& name);

}  // namespace negativa
