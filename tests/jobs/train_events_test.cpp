// What a training tells whoever asked for it.
#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "engine/test_engine.h"
#include "jobs/train_lora.h"

namespace negativa {
namespace {

struct Told : test::Heard {
  std::vector<int64_t> losses, validations, checkpoints, previews_at, steps;
  void on_loss(const LossEvent& event) override { losses.push_back(event.step); }
  void on_validation(const ValidationEvent& event) override { validations.push_back(event.step); }
  void on_checkpoint(const CheckpointEvent& event) override { checkpoints.push_back(event.step); }
  void on_preview(const PreviewEvent& event) override {
    EXPECT_EQ(event.image.width, 64);
    previews_at.push_back(event.step);
  }
  void on_step(const StepEvent& event) override {
    if (event.stage == "train") steps.push_back(event.done);
  }
};

TrainReport run(const TrainLoraRequest& request) {
  const Caller caller = test::nobody();
  return train_lora(test::engine(), request, caller.events, caller.cancel);
}

TEST(TrainEvents, TellOfEveryStepValidationPreviewAndCheckpoint) {
  const TemporaryFolder folder;
  TrainLoraRequest request;
  auto& options = request.options;
  options.data.data = options.data.validation_data = test::source_folder() / "tests/golden/dataset";
  options.data.prompt = "wrong";
  options.data.resolution = 32;
  options.rank = 1;
  options.step.steps = 3;
  options.run.out = folder / "wrong.safetensors";
  options.run.validate_every = 3;
  options.run.checkpoint_every = 2;
  options.run.validation_prompt = "owl";
  options.model.device = "cpu";
  options.model.threads = 1;
  Told told;
  const test::Listening listening(told);
  const TrainReport report = run(request);
  EXPECT_EQ(report.steps, 3);
  EXPECT_FALSE(report.was_finished);
  using Steps = std::vector<int64_t>;
  EXPECT_EQ(told.losses, (Steps{1, 2, 3}));
  EXPECT_EQ(told.steps, (Steps{0, 1, 2, 3})) << "0: it begins";
  EXPECT_EQ(told.validations, Steps{3});
  EXPECT_EQ(told.previews_at, Steps{3});
  EXPECT_EQ(told.checkpoints, (Steps{2, 3}));
  EXPECT_TRUE(run(request).was_finished);
  EXPECT_EQ(told.losses.size(), 3u);
}

}  // namespace
}  // namespace negativa
