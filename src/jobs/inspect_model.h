#pragma once
// `negativa model inspect`: what a model is made of.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"

namespace negativa {

struct ModelInspectOptions {
  std::string model;
  bool hashes = false;

  static void visit(auto& self, auto& v) {
    v("model", self.model, flag("-m,--model,MODEL"),
      "diffusers folder, SGM file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("hashes", self.hashes, "hash files of 256 MiB and more too; without it their hashes are given only where they are known");
  }
};

struct ModelReport {
  struct Part {
    std::string name;
    int64_t tensors = 0, parameters = 0, bytes = 0;  // bytes as stored
    std::map<std::string, int64_t> dtypes;           // dtype -> tensors
    std::string facts;                               // "3 blocks of 320 640 1280 channels, cross attention 2048 wide"
  };
  std::string name, layout;
  std::vector<Part> parts;
  std::vector<std::pair<std::string, std::string>> files;  // name within the model, SHA-256; "": not known, it takes --hashes
  std::vector<std::string> unused_keys;
  std::string scheduler;                      // "euler, leading", or why there is none
  std::string prediction, prediction_source;  // "v_prediction", "tensor v_pred"; empty where the files do not tell
  bool zero_snr = false;
  std::string zero_snr_source;
  std::vector<std::string> remarks;  // what else is worth knowing before drawing: a line each
};

// Reads headers and configs and checks every key of every part against its config; hashes small files, and with `hashes` large
// ones (cached). Throws as loading would.
ModelReport model_inspect(Engine& engine, const ModelInspectOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
