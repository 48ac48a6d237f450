#pragma once
// A model as one file under the names of Stability-AI/generative-models: the way back of single_file.h. diffusers'
// from_single_file, the webui and ComfyUI read it.
#include "io/model_files.h"

namespace negativa {

// One tensor of such a file and where it comes from.
struct SgmTensor {
  std::vector<TensorSource> sources;  // one; or q, k and v, whose rows stand one below the other
  bool transpose = false;             // OpenCLIP's text_projection
  bool unsqueeze = false;             // [o,i] -> [o,i,1,1]: the VAE's attention
  std::string part;                   // "unet", "vae", "text_encoder", "text_encoder_2"
  std::string name;                   // after the part's prefix
  DType dtype;                        // as stored; of q, k and v that differ fp32
  Shape shape;                        // in the new file
  Tensor load() const;                // in that dtype and shape
};

// By the name in the file: "model.diffusion_model.out.2.weight" … A model without first text encoder is a refiner. Throws
// ErrorKind::missing_key for a tensor that no name of SGM's answers to, and as ModelFiles::weights does.
std::map<std::string, SgmTensor> sgm_tensors(const ModelFiles& model);

// What other programs read how the model was trained by: `v_pred`, `ztsnr` … (prediction_marks.h), of the model's scheduler and
// VAE.
std::map<std::string, Tensor> sgm_marks(const ModelFiles& model);

// `negativa.config`: the configuration of every part as JSON {part: config}, which the shapes do not wholly tell. A config with
// NaN or infinity, which JSON lacks, stands there as text.
Metadata sgm_metadata(const ModelFiles& model);

}  // namespace negativa
