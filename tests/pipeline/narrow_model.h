#pragma once
// What tests of adapters share that draw with a tiny model: two copies of it, one of which is changed as baking changes it.
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "core/generator.h"
#include "golden_file.h"
#include "lora/attach.h"
#include "pipeline/stages.h"

namespace negativa::test {

// A model folder of SDXL's structure, so narrow that thousands of steps take seconds: emoji-xl with other sizes and random
// weights.
class NarrowModel {
 public:
  NarrowModel();
  ModelRequest request() const;

 private:
  std::string config(const std::string& part, const std::string& sizes) const;
  void write(const std::string& part, const nn::Walk& walk, const char* file);

  TemporaryFolder folder_;
  Generator generator_{1};
};

// What pictures of one model share.
struct Drawer {
  Models models;
  EncodedTexts known;

  explicit Drawer(const ModelRequest& request) : models(request) {}
  Drawing begun(const Plan& plan);
  Tensor latents(const Plan& plan);  // as the program draws them
  // [2,C,h,w]: what the UNet says of latents `negative` with the negative prompt and of `positive` with the positive one.
  Tensor rows(const Drawing& drawing, int64_t step, const Tensor& negative, const Tensor& positive);
  // The layers of a part, to be changed.
  nn::Walk walk(const std::string& component);
};

std::shared_ptr<const PictureAdapters> attached(const std::vector<ActiveLora>& loras);

// One model stays as it is; a layer of the other is changed as baking changes it.
class TwoModels : public ::testing::Test {
 protected:
  const c10::InferenceMode inference;
  NarrowModel model;
  Drawer plain{model.request()}, baked{model.request()};
  Plan plan;
  Tensor nothing;                                             // latents without a LoRA
  std::vector<std::shared_ptr<const PictureAdapters>> alive;  // texts are known by their adapters' place in memory

  TwoModels();
  // Latents of the plain model with these.
  Tensor with(const std::vector<ActiveLora>& loras);
  // Latents as they would be if the baked model drew one branch and the plain one the other: [0] baked negative, [1] baked
  // positive. Both at once: where one picture wants a model's negative row, the other wants its positive one.
  std::array<Tensor, 2> one_branch_baked();
  // The file attached to the plain model draws what `baked` draws, on both branches and on each alone. is_read: else it draws
  // what is drawn without it.
  void expect_as_baked(const std::shared_ptr<const LoraFile>& file, bool is_read, const std::string& where);
};

}  // namespace negativa::test
