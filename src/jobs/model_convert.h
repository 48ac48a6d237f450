#pragma once
// `negativa model convert`: a model between its folder and one file, both ways; or any file of tensors as safetensors. What
// torch.save wrote is read without running it.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"

namespace negativa {

struct ModelConvertOptions {
  Path file, out;
  std::string dtype = "auto";

  static void visit(auto& self, auto& v) {
    v("file", self.file, flag("MODEL"), "model folder, or a file of tensors: a checkpoint, VAE, LoRA or embedding");
    v("out", self.out, flag("-o,--out"),
      "FILE.safetensors: of a model's folder one file under SGM's names, of a file the same names; else a folder in diffusers' "
      "layout, which must not exist or be empty");
    v("dtype", self.dtype, choices({"auto", "fp32", "bf16", "fp16", "fp8"}),
      "number format the weights are stored in; auto: as in the model's files; fp8: e4m3fn, of matrices and convolutions of UNet "
      "and text encoders, the rest stays");
  }
};

struct ModelConvertReport {
  Path out;
  std::string model;
  int tensors = 0;
  int64_t bytes = 0;                  // of weights written
  int kept = 0;                       // floating-point tensors that stay in another format than the one asked for
  int64_t saturated = 0;              // numbers that became fp8's largest, ±448; known when all is written
  std::vector<std::string> left_out;  // keys of a training checkpoint that are no part of the model
};

// The file or folder appears when all of it is written. Throws as open_tensor_file, open_model and bake do; ErrorKind::input for
// values that the number format cannot hold.
ModelConvertReport model_convert(Engine& engine, const ModelConvertOptions& options, EventSink& events,
                                 const CancelToken& cancel);

// All of it but the writing.
ModelConvertReport plan_model_convert(Engine& engine, const ModelConvertOptions& options, EventSink& events,
                                      const CancelToken& cancel);

}  // namespace negativa
