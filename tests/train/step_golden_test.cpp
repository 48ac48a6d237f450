// diffusers 0.42.1, transformers 5.23.0, peft 0.21.2 in float64, one thread: tools/goldens_train.py.
#include <gtest/gtest.h>

#include "base/json.h"
#include "golden_file.h"
#include "text/text_models.h"
#include "train/lora_trainer.h"
#include "train/optimizer.h"
#include "train/training_step.h"

namespace negativa {
namespace {

using test::relative_error;

struct Limits {
  const char* dtype;
  double loss, gradient, factors;
};
constexpr Limits fp64{"fp64", 1e-12, 1e-10, 1e-10}, fp32{"fp32", 1e-5, 1e-4, 2e-3};

// A case of the golden: the settings of a training and the rows of its steps.
struct Case {
  std::shared_ptr<const SafetensorsFile> file = test::golden("train_trace");
  std::string name;
  TrainLoraOptions options;
  std::vector<std::string> captions;
  bool has_class_rows = false;

  Case(const std::string& name, const char* dtype) : name(name) {
    Json settings = parse_json(file->metadata().at("cases"), "train_trace").at(name);
    captions = settings.at("row_captions").get<std::vector<std::string>>();
    has_class_rows = !settings.at("class_prompt").get<std::string>().empty();
    settings.erase("row_captions");
    settings.erase("class_prompt");  // there is no folder to go with it
    Fields fields = fields_of(options);
    set_from_json(fields, settings, {Source::request, "train_trace"});
    options.data.data = test::source_folder() / "models/sonk-hedgehog/train";  // opened, not used
    options.data.prompt = "sonk hedgehog";
    options.run.out = "trained.safetensors";
    options.model.dtype = dtype;
    options.model.threads = 2;
  }

  bool has(const std::string& key) const { return file->find(name + "." + key) != nullptr; }
  Tensor at(const std::string& key) const { return file->load(name + "." + key); }

  std::vector<TrainingRow> rows(int64_t step, const NoiseSchedule& schedule) const {
    const auto column = [&](const char* what) { return at(fmt::format("step.{}.{}", step, what)); };
    const auto count = static_cast<int64_t>(captions.size()), instances = has_class_rows ? count / 2 : count;
    std::vector<TrainingRow> rows(captions.size());
    for (int64_t i = 0; i < count; ++i) {
      TrainingRow& row = rows[i];
      const auto part = [&](const char* what) { return column(what).narrow(0, i, 1); };
      row.picture = fmt::format("row {}", i);
      row.latents = part("latents");
      row.noise = part("noise");
      row.timestep = part("timesteps").item<int64_t>();
      row.caption = captions[i];
      row.time_ids = part("add_time_ids");
      const double weight =
          i < instances ? min_snr_weight(schedule, row.timestep, options.step.snr_gamma) : options.step.prior_weight;
      row.weight = weight / static_cast<double>(instances);
      if (options.text_encoders) continue;
      row.prompt_embeds = part("prompt_embeds");
      row.pooled_prompt_embeds = part("pooled_prompt_embeds");
    }
    return rows;
  }
};

// The model of a case and the few layers it adapts.
struct Trainer {
  const Case& golden;
  LoraTraining training;
  NoiseSchedule schedule;
  UNet unet;
  TextModels text;
  LoraParameters parameters;

  explicit Trainer(const Case& golden)
      : golden(golden),
        training(plan_lora_training(golden.options, {test::places()})),
        schedule(make_noise_schedule(training.scheduler())),
        unet(training.unet()),
        text(load_text_models(training.files(), [&](const std::string&, const Weights&) { return load_options(); })),
        parameters(modules(), training.parameter_dtype()) {
    unet.load(training.files().weights("unet"), load_options());
    for (const auto& module : parameters.modules()) {
      parameters.down(module, parameters.flat()).copy_(golden.at("initial." + key(module, "A")));
      parameters.up(module, parameters.flat()).copy_(golden.at("initial." + key(module, "B")));
    }
  }

  static std::string key(const TrainedModule& module, const char* factor) {
    return fmt::format("{}.{}.lora_{}.weight", module.component, module.name(), factor);
  }
  nn::LoadOptions load_options() const {
    nn::LoadOptions options;
    options.storage = training.compute;
    return options;
  }
  std::vector<TrainedModule> modules() const {
    auto modules = training.modules;
    std::erase_if(modules, [&](const TrainedModule& module) { return !golden.has("initial." + key(module, "A")); });
    return modules;
  }
  StepRunner runner() {
    return {
        {unet, training.options.text_encoders ? &text : nullptr, schedule, training.compute, at::kCPU, training.workers, false},
        parameters};
  }
};

void expect_equal_factors(const Trainer& trainer, const Tensor& flat, const std::string& what, double limit) {
  for (const auto& module : trainer.parameters.modules())
    for (const auto& [factor, got] :
         {std::pair{"A", trainer.parameters.down(module, flat)}, {"B", trainer.parameters.up(module, flat)}}) {
      const Tensor expected = trainer.golden.at(what + "." + Trainer::key(module, factor));
      if (expected.norm().item<double>() == 0)
        EXPECT_EQ(got.norm().item<double>(), 0) << what << " " << Trainer::key(module, factor);
      else
        EXPECT_LT(relative_error(got, expected), limit) << what << " " << Trainer::key(module, factor);
    }
}

void expect_steps_equal_diffusers(const std::string& name, const Limits& limits) {
  const Case golden(name, limits.dtype);
  Trainer trainer(golden);
  const auto& step = trainer.training.options.step;
  ASSERT_GE(trainer.parameters.modules().size(), 7u);
  StepRunner runner = trainer.runner();
  AdamWState state(trainer.parameters.flat());
  for (int64_t number = 1; number <= step.steps; ++number) {
    StepResult result = runner.run(golden.rows(number, trainer.schedule), nullptr);
    const auto expected = golden.at(fmt::format("step.{}.loss", number)).item<double>();
    EXPECT_NEAR(result.loss, expected, limits.loss * expected) << "step " << number;
    if (number == 1) expect_equal_factors(trainer, result.gradient, "gradient", limits.gradient);
    clip_gradient(result.gradient, step.max_grad_norm);
    const double factor = lr_factor(lr_scheduler_from_name(step.lr_scheduler), number, step.steps, step.lr_warmup);
    adamw_step(trainer.parameters.flat(), result.gradient, state,
               parameter_groups(trainer.training.options, trainer.parameters, factor), {});
  }
  expect_equal_factors(trainer, trainer.parameters.flat(), "final", limits.factors);
}

TEST(TrainingStep, PriorPreservationMinSnrClippingAndCosineWithWarmUpEqualDiffusersInFp64) {
  expect_steps_equal_diffusers("prior", fp64);
}
TEST(TrainingStep, PriorPreservationMinSnrClippingAndCosineWithWarmUpEqualDiffusersInFp32) {
  expect_steps_equal_diffusers("prior", fp32);
}
TEST(TrainingStep, TrainedTextEncodersEqualDiffusersInFp64) { expect_steps_equal_diffusers("text", fp64); }
TEST(TrainingStep, TrainedTextEncodersEqualDiffusersInFp32) { expect_steps_equal_diffusers("text", fp32); }

}  // namespace
}  // namespace negativa
