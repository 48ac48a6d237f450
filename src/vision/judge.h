#pragma once
// A CLIP model as a judge of pictures: how well a picture and a text fit, and which of several texts fits it best.
// Any folder that transformers' CLIPModel and CLIPProcessor open: config.json, weights as safetensors (whole or in shards, fp32
// or fp16), preprocessor_config.json, a CLIP tokenizer.
#include <span>

#include "base/cancel.h"
#include "text/tokenizer.h"
#include "vision/clip_model.h"
#include "vision/image_processor.h"

namespace negativa {

// A picture or a text as the judge sees it: projection_dim numbers of length 1.
using UnitVector = std::vector<float>;

struct SeenText {
  UnitVector vector;
  int64_t cut = 0;  // tokens that did not fit; the end token always does
};

// Immutable once loaded, and safe to use from several threads. Computes in fp32 on the CPU with the calling thread's intra-op
// threads; one picture or text a call, so that what comes out does not depend on what else is judged, or by how many workers.
class Judge {
 public:
  // Throws ErrorKind::input (no such folder, or of something else), missing_key, shape, file_format (files that do not fit each
  // other, NaN in the weights), all in one line.
  static Judge load(const std::filesystem::path& folder, const CancelToken* cancel = nullptr);

  UnitVector see(const Image8& image) const;
  // Throws ErrorKind::input where the text is no UTF-8.
  SeenText read(std::string_view text) const;
  // Of each text, given the picture: softmax of exp(logit_scale) times the cosines. At least one text.
  std::vector<double> probabilities(const UnitVector& image, std::span<const UnitVector* const> texts) const;

  const std::string& name() const { return name_; }  // the folder's own
  const std::filesystem::path& folder() const { return folder_; }
  double logit_scale() const { return logit_scale_; }  // what cosines are multiplied by: 100 for OpenAI's
  // The files that decide what it says, sorted. For hashing.
  const std::vector<std::filesystem::path>& files() const { return files_; }

 private:
  Judge(const std::filesystem::path& folder, Tokenizer tokenizer, ImageProcessor processor);

  std::filesystem::path folder_;
  std::string name_;
  Tokenizer tokenizer_;
  ImageProcessor processor_;
  CLIPModel model_;
  double logit_scale_ = 1;
  std::vector<std::filesystem::path> files_;
};

// Cosine of the angle between two unit vectors of one judge.
double cosine(const UnitVector& a, const UnitVector& b);

}  // namespace negativa
