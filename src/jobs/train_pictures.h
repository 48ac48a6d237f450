#pragma once
// Pictures that a training draws with the pipeline: of the class it must not forget, and previews of what it has learnt.
#include "base/cancel.h"
#include "base/image.h"
#include "jobs/engine.h"
#include "train/options.h"
#include "train/trained_parameters.h"

namespace negativa {

// Draws --class-prompt into --class-data until there are class_count pictures; those that are there stay. Picture i has seed + i, 50 steps and guidance 5.
void draw_class_pictures(const TrainOptions& options, const CancelToken& cancel);

// Draws the validation prompt with what is trained by a step, always from the same noise.
class PreviewPainter {
 public:
  explicit PreviewPainter(const TrainOptions& options);
  Image8 draw(const std::shared_ptr<const UNet>& unet, const Trained& trained, const CancelToken& cancel);

 private:
  PictureOptions picture_;
  Engine engine_;
};

}  // namespace negativa
