// A LoRA trained on a frozen model whose matrices and convolutions are kept as int8 with a scale a row.
#include <gtest/gtest.h>

#include "golden_file.h"
#include "train/lora_trainer.h"
#include "train/optimizer.h"
#include "train/training_step.h"

namespace negativa {
namespace {

using test::relative_error;

TrainLoraOptions options() {
  TrainLoraOptions options;
  options.rank = 2;
  options.data.data = test::source_folder() / "tests/golden/dataset";
  options.data.prompt = "wrong";
  options.data.resolution = 32;
  options.run.out = "wrong.safetensors";
  options.model.dtype = "fp32";
  options.model.weights_dtype = "int8";
  options.model.threads = 2;
  return options;
}

// Two rows of random elements, and factors none of which is zero, so that all of them have gradients.
struct Step {
  LoraTraining training = plan_lora_training(options(), {test::places()});
  NoiseSchedule schedule = make_noise_schedule(training.scheduler());
  UNet unet{training.unet()};
  LoraParameters parameters{training.modules, training.parameter_dtype()};
  std::vector<TrainingRow> rows;

  explicit Step(std::optional<DType> storage) {
    nn::LoadOptions load;
    load.storage = storage;
    unet.load(training.files().weights("unet"), load);
    Generator generator(1);
    parameters.flat().copy_(generator.randn({parameters.flat().numel()}) * 0.05);
    for (const int64_t timestep : {100, 700}) {
      TrainingRow row;
      row.latents = generator.randn({1, 4, 4, 4});
      row.noise = generator.randn({1, 4, 4, 4});
      row.timestep = timestep;
      row.prompt_embeds = generator.randn({1, 77, training.unet().cross_attention_dim()});
      row.pooled_prompt_embeds = generator.randn({1, 96});
      row.time_ids = at::full({1, 6}, 32.0);
      row.weight = 0.5;
      rows.push_back(row);
    }
  }
  StepResult run() {
    constexpr int workers = 2;  // a thread a row
    return StepRunner({unet, nullptr, schedule, training.compute, at::kCPU, workers, false}, parameters).run(rows, nullptr);
  }
};

// The same weights in fp32: int8 times the scale of its row.
void dequantise(UNet& unet) {
  for (const auto& slot : nn::walk(unet).slots) {
    Tensor weight = slot.tensor->to(at::kFloat);
    if (slot.scale && slot.scale->defined()) {
      Shape per_row(weight.dim(), 1);
      per_row[0] = -1;
      weight = weight * slot.scale->view(per_row);
      slot.scale->reset();
    }
    *slot.tensor = weight;
  }
}

TEST(Int8Training, GradientsAreThoseOfAModelWhoseFp32WeightsAreTheDequantisedOnes) {
  Step int8(at::kChar), dequantised(at::kChar), whole(at::kFloat);
  EXPECT_EQ(int8.training.storage, at::kChar) << "--weights-dtype";
  dequantise(dequantised.unet);
  const StepResult got = int8.run(), expected = dequantised.run();
  ASSERT_GT(expected.gradient.norm().item<double>(), 0);
  EXPECT_NEAR(got.loss, expected.loss, 1e-6 * expected.loss);
  for (const auto& module : int8.parameters.modules())
    for (const auto factor : {&LoraParameters::down, &LoraParameters::up})
      EXPECT_LT(
          relative_error((int8.parameters.*factor)(module, got.gradient), (int8.parameters.*factor)(module, expected.gradient)),
          1e-6)
          << module.name();
  EXPECT_GT(relative_error(got.gradient, whole.run().gradient), 1e-3) << "weights were not quantised";
}

TEST(Int8Training, TheSameStepsGiveTheSameBytes) {
  const auto trained = [] {
    Step step(at::kChar);
    AdamWState state(step.parameters.flat());
    const Tensor start = step.parameters.flat().clone();
    for (int i = 0; i < 2; ++i)
      adamw_step(step.parameters.flat(), step.run().gradient, state, parameter_groups(step.training.options, step.parameters, 1),
                 {});
    EXPECT_FALSE(at::equal(step.parameters.flat(), start));
    return step.parameters.flat();
  };
  EXPECT_TRUE(at::equal(trained(), trained()));
}

}  // namespace
}  // namespace negativa
