#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "schedule/golden.h"

namespace negativa::test {

namespace {
using nlohmann::json;

template <class Call>
std::string message_of(ErrorKind kind, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "no error";
}

std::string message_of(const std::string& text) {
  return message_of(ErrorKind::file_format, [&] { scheduler_config_from_json(text, "scheduler_config"); });
}

SchedulerConfig of_class(const std::string& name, json keys = json::object()) {
  keys["_class_name"] = name;
  return scheduler_config_from_json(keys.dump(), "scheduler_config");
}

Tensor stub_model(const Tensor& x, float t) { return x * 0.3f + 0.2f * std::sin(t / 100); }

float largest(const Tensor& x) { return x.abs().max().item<float>(); }

// Curves of fractional powers and logarithms: numpy's and torch's own, of which EDM's are partly fp32.
void expect_close(const std::vector<float>& got, const std::vector<float>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 3e-6f * std::abs(expected[i]) + 1e-6f) << "at " << i;
}
}  // namespace

// The file is read as diffusers wrote it, "-Infinity" and keys of other classes included.
TEST(SchedulerConfig, AsDiffusersSavesItDrawsAsDiffusersDoes) {
  const Shape shape = {1, 4, 2, 3};
  for (const auto& row : golden().at("saved")) {
    SCOPED_TRACE(row.at("text").get<std::string>());
    const auto config = scheduler_config_from_json(row.at("text").get<std::string>(), "scheduler_config");
    EXPECT_EQ(!config.replacement.empty(), row.at("replaced").get<bool>()) << config.replacement;
    const auto schedule = make_noise_schedule(config);
    const auto sampler = make_sampler(default_sampler(config), config);
    const auto grid = make_grid(schedule, sampler->grid_rules(), default_grid(config), row.at("steps"));
    expect_close(grid.timesteps, row.at("timesteps"));
    expect_close(grid.sigmas, row.at("sigmas"));
    Generator generator(7);
    auto latents = generator.randn(shape) * sampler->init_noise_sigma(grid);
    const auto& expected = row.at("latents");
    const auto expected_latents = [&](size_t k) { return tensor_of(expected[k], shape); };
    // What the first step takes away takes digits with it; see sampler_test.cpp. 3 ULP where the curves above have them.
    const float error = std::max(3e-6f, 0x3p-23f * largest(expected_latents(0)) / largest(expected_latents(1)));
    SamplerState state;
    const Predict predict = [&](const Tensor& sample, const NoiseLevel& level) {
      return stub_model(sampler->scale_model_input(level.sigma, sample), level.timestep);
    };
    for (int64_t i = 0; i < grid.steps(); ++i) {
      latents = sampler->step({i, grid, latents}, predict, generator, state);
      const size_t kept = i < 3 ? i + 1 : expected.size() - 1;
      if (i < 3 || i + 1 == grid.steps()) {
        EXPECT_LT(largest(latents - expected_latents(kept)), error * largest(expected_latents(kept))) << "step " << i;
      }
    }
    EXPECT_FLOAT_EQ(generator.randn({16})[0].item<float>(), row.at("next_draw").get<float>());
  }
}

TEST(SchedulerConfig, KnowsWhatAbsentAndNullKeysMeanInEveryClass) {
  for (const auto& text : golden().at("class_defaults")) {
    const auto whole = scheduler_config_from_json(text.get<std::string>(), "scheduler_config"), bare = of_class(whole.class_name);
    SCOPED_TRACE(whole.class_name);
    EXPECT_EQ(bare.timestep_spacing, whole.timestep_spacing);
    EXPECT_EQ(bare.steps_offset, whole.steps_offset);
    EXPECT_EQ(bare.final_sigmas_type, whole.final_sigmas_type);
    EXPECT_EQ(bare.prediction_type, whole.prediction_type);
    EXPECT_EQ(bare.lower_order_final, whole.lower_order_final);
    EXPECT_EQ(bare.euler_at_final, whole.euler_at_final);
    EXPECT_EQ(bare.lambda_min_clipped, whole.lambda_min_clipped);
    EXPECT_TRUE(same_noise_levels(bare, whole));
    ASSERT_EQ(bare.edm.has_value(), whole.edm.has_value());
    if (bare.edm) {
      EXPECT_EQ(bare.edm->sigma_max, whole.edm->sigma_max);
      EXPECT_EQ(bare.edm->sigma_min, whole.edm->sigma_min);
      EXPECT_EQ(bare.edm->sigma_data, whole.edm->sigma_data);
      EXPECT_EQ(bare.edm->rho, whole.edm->rho);
      EXPECT_EQ(bare.edm->sigma_schedule, whole.edm->sigma_schedule);
    }
  }
  const auto with_nulls = of_class("DPMSolverMultistepScheduler",
                                   {{"trained_betas", nullptr}, {"beta_end", nullptr}, {"use_karras_sigmas", nullptr}});
  EXPECT_EQ(with_nulls.beta_end, 0.02);
  EXPECT_EQ(default_grid(with_nulls), "linspace");
}

TEST(SchedulerConfig, OfEveryClassHasTheSamplerThatDrawsForIt) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> drawn = {
      {"euler",
       {"EulerDiscrete", "EDMEuler", "DDIM", "DDIMParallel", "DDPM", "PNDM", "LMSDiscrete", "KDPM2Discrete", "DPMSolverSDE",
        "SASolver", "IPNDM", "Own"}},
      {"heun", {"HeunDiscrete"}},
      {"euler_ancestral", {"EulerAncestralDiscrete", "KDPM2AncestralDiscrete"}},
      {"dpmpp_2m", {"DPMSolverMultistep", "EDMDPMSolverMultistep", "UniPCMultistep", "DEISMultistep", "DPMSolverSinglestep"}}};
  for (const auto& [sampler, classes] : drawn)
    for (const auto& name : classes) {
      const auto config = of_class(name + "Scheduler");
      EXPECT_EQ(default_sampler(config), sampler) << name;
      const bool is_own = name == classes.front() || name.starts_with("EDM");
      EXPECT_EQ(config.replacement, is_own ? ""
                                           : "the model's scheduler is " + name + "Scheduler, which is not built: " + sampler +
                                                 " draws in its place (--sampler chooses another)");
    }
  for (const std::string name : {"LCM", "TCD", "FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "FlowMatchLCM"}) {
    const auto config = of_class(name + "Scheduler");
    EXPECT_TRUE(message_of(ErrorKind::input, [&] {
                  default_sampler(config);
                }).starts_with("[scheduler_config] " + name + "Scheduler is not built, and no other stands for it: "));
    EXPECT_EQ(config.beta_start, 0.00085) << "for whom --sampler draws all the same";
  }
  const std::vector<std::pair<json, std::string>> kinds = {
      {{{"solver_order", 3}}, "solver_order 3"},
      {{{"solver_order", 1}}, "solver_order 1"},
      {{{"algorithm_type", "sde-dpmsolver++"}}, "algorithm_type sde-dpmsolver++"},
      {{{"algorithm_type", "dpmsolver"}, {"final_sigmas_type", "sigma_min"}}, "algorithm_type dpmsolver"},
      {{{"solver_type", "heun"}}, "solver_type heun"}};
  for (const std::string name : {"DPMSolverMultistepScheduler", "EDMDPMSolverMultistepScheduler"})
    for (const auto& [keys, kind] : kinds) {
      const auto config = of_class(name, keys);
      EXPECT_EQ(default_sampler(config), "dpmpp_2m");
      EXPECT_EQ(config.replacement, "the model's scheduler is " + name + " of " + kind +
                                        ", which is not built: dpmpp_2m draws in its place (--sampler chooses another)");
    }
  EXPECT_EQ(of_class("DPMSolverMultistepScheduler", {{"algorithm_type", "deis"}, {"solver_type", "bh2"}}).replacement, "")
      << "diffusers takes these for its own";
}

// from_config leaves the keys of the class before in the file.
TEST(SchedulerConfig, TakesNoKeyThatTheClassDoesNotTake) {
  const json left_over = {{"use_karras_sigmas", true},
                          {"use_beta_sigmas", true},
                          {"use_lu_lambdas", true},
                          {"use_flow_sigmas", true},
                          {"thresholding", true},
                          {"solver_order", 3},
                          {"sigma_min", 0.1},
                          {"sigma_max", 5.0},
                          {"final_sigmas_type", "sigma_min"},
                          {"timestep_type", "continuous"},
                          {"algorithm_type", "sde"},
                          {"interpolation_type", "log_linear"},
                          {"lambda_min_clipped", -1.0},
                          {"euler_at_final", true}};
  for (const std::string name :
       {"EulerAncestralDiscreteScheduler", "DDIMScheduler", "PNDMScheduler", "KDPM2AncestralDiscreteScheduler"}) {
    SCOPED_TRACE(name);
    const auto config = of_class(name, left_over);
    EXPECT_EQ(default_grid(config), of_class(name).timestep_spacing);
    EXPECT_NO_THROW(default_sampler(config));
    EXPECT_EQ(config.final_sigmas_type, "zero");
    EXPECT_FALSE(config.continuous_timesteps || config.euler_at_final || config.sigma_min || config.sigma_max);
    EXPECT_TRUE(std::isinf(config.lambda_min_clipped));
  }
  EXPECT_FALSE(of_class("HeunDiscreteScheduler", {{"rescale_betas_zero_snr", true}}).rescale_betas_zero_snr);
  EXPECT_EQ(of_class("DPMSolverSinglestepScheduler", {{"timestep_spacing", "trailing"}}).timestep_spacing, "linspace");
  EXPECT_EQ(default_grid(of_class("DPMSolverMultistepScheduler", {{"interpolation_type", "log_linear"}})), "linspace");
}

TEST(SchedulerConfig, RefusesWhatItsOwnSamplerOrGridWouldNeedOnlyWhenTheyAreTaken) {
  const auto refused = [](const std::string& name, const json& keys) {
    const auto config = of_class(name, keys);  // reading it is no error: --sampler and --schedule win
    const auto text = [](auto&& call) {
      try {
        call();
      } catch (const Error& error) {
        return std::string(error.what());
      }
      return std::string();
    };
    return text([&] { default_sampler(config); }) + text([&] { default_grid(config); });
  };
  const std::string euler = "EulerDiscreteScheduler", dpm = "DPMSolverMultistepScheduler";
  EXPECT_EQ(refused(euler, {{"use_beta_sigmas", true}}),
            "[scheduler_config] use_beta_sigmas is not built; choose with --schedule");
  EXPECT_EQ(refused(euler, {{"interpolation_type", "log_linear"}}),
            "[scheduler_config] interpolation_type log_linear is not built; choose with --schedule");
  EXPECT_EQ(refused(euler, {{"use_karras_sigmas", true}, {"use_exponential_sigmas", true}}),
            "[scheduler_config] use_karras_sigmas together with use_exponential_sigmas is not built; choose with --schedule");
  EXPECT_EQ(refused(dpm, {{"use_lu_lambdas", true}}), "[scheduler_config] use_lu_lambdas is not built; choose with --schedule");
  EXPECT_EQ(refused(dpm, {{"thresholding", true}}),
            "[scheduler_config] thresholding is not built, nor does it suit latents; choose with --sampler");
  EXPECT_EQ(refused("HeunDiscreteScheduler", {{"clip_sample", true}}),
            "[scheduler_config] clip_sample is not built, nor does it suit latents; choose with --sampler");
  EXPECT_EQ(refused("DDIMScheduler", {{"clip_sample", true}, {"thresholding", true}}), "") << "Euler draws for it, without";
  EXPECT_TRUE(refused("UniPCMultistepScheduler", {{"use_flow_sigmas", true}})
                  .starts_with("[scheduler_config] use_flow_sigmas is not built: it means a model of flow matching"));
}

TEST(SchedulerConfig, SaysWhatTheModelPredictsAndWhoSaysSo) {
  const auto told = [](const json& keys, const PredictionRequest& asked = {}) {
    const auto config = scheduler_config_from_json(keys.dump(), "scheduler_config", asked);
    return prediction_name(config.prediction_type) + " by " + config.prediction_source + ", zero SNR " +
           (config.rescale_betas_zero_snr ? "on" : "off") + " by " + config.zero_snr_source;
  };
  EXPECT_EQ(told(json::object()), "epsilon by default, zero SNR off by default");
  EXPECT_EQ(told({{"prediction_type", "v_prediction"}, {"rescale_betas_zero_snr", true}}),
            "v_prediction by scheduler_config.json, zero SNR on by scheduler_config.json");
  EXPECT_EQ(told({{"prediction_type", "sample"}}), "sample by scheduler_config.json, zero SNR off by default");
  EXPECT_EQ(told({{"prediction_type", "original_sample"}}), "sample by scheduler_config.json, zero SNR off by default");
  EXPECT_EQ(told({{"prediction_type", "v_prediction"}, {"_prediction_source", "tensor v_pred"}}),
            "v_prediction by tensor v_pred, zero SNR off by default");
  EXPECT_EQ(told({{"prediction_type", "v_prediction"}}, {PredictionType::epsilon, true}),
            "epsilon by --prediction-type, zero SNR on by --zero-snr");
  EXPECT_EQ(told({{"prediction_type", "flow_prediction"}, {"rescale_betas_zero_snr", true}}, {PredictionType::sample, false}),
            "sample by --prediction-type, zero SNR off by --zero-snr");
  EXPECT_EQ(told({{"_class_name", "HeunDiscreteScheduler"}}, {{}, true}), "epsilon by default, zero SNR on by --zero-snr")
      << "asked for, whatever the class takes";
  EXPECT_EQ(message_of(R"({"prediction_type": "flow_prediction"})"),
            "[scheduler_config] \"prediction_type\": got \"flow_prediction\", expected epsilon, v_prediction or sample; "
            "--prediction-type says what to take it for");
  const std::string unclear = R"({"_prediction_unclear": "[x] says nothing"})";
  EXPECT_EQ(message_of(ErrorKind::input, [&] { scheduler_config_from_json(unclear, "scheduler_config"); }), "[x] says nothing");
  EXPECT_NO_THROW(scheduler_config_from_json(unclear, "scheduler_config", {PredictionType::epsilon, {}}));
  const std::string edm = R"({"_class_name": "EDMEulerScheduler"})";
  EXPECT_EQ(message_of(ErrorKind::input,
                       [&] {
                         scheduler_config_from_json(edm, "scheduler_config", {PredictionType::sample, {}});
                       }),
            "[--prediction-type] a model of EDM's preconditioning predicts epsilon or v, got sample");
  EXPECT_EQ(message_of(ErrorKind::input,
                       [&] {
                         scheduler_config_from_json(edm, "scheduler_config", {{}, true});
                       }),
            "[--zero-snr] the model has EDM's noise levels (0.002 to 80) and no betas to rescale");
}

TEST(SchedulerConfig, TellsTheSchedulersOfModelsDistilledToFewSteps) {
  EXPECT_EQ(sign_of_distilling(of_class("LCMScheduler")), "LCMScheduler");
  EXPECT_EQ(sign_of_distilling(of_class("TCDScheduler")), "TCDScheduler");
  for (const std::string name : {"EulerAncestralDiscreteScheduler", "EulerDiscreteScheduler", "DDIMScheduler"}) {
    EXPECT_EQ(sign_of_distilling(of_class(name, {{"timestep_spacing", "trailing"}})),
              "trailing timesteps, as SDXL-Turbo and SDXL-Lightning have");
    EXPECT_EQ(sign_of_distilling(of_class(name, {{"timestep_spacing", "leading"}})), std::nullopt);
    EXPECT_EQ(sign_of_distilling(of_class(name, {{"timestep_spacing", "trailing"}, {"rescale_betas_zero_snr", true}})),
              std::nullopt);
    EXPECT_EQ(sign_of_distilling(of_class(name, {{"timestep_spacing", "trailing"}, {"prediction_type", "v_prediction"}})),
              std::nullopt);
  }
}

TEST(SchedulerConfig, AsksForTheSamplerAndGridThatTheFileNames) {
  std::ifstream file(NEGATIVA_SOURCE_DIR "/models/emoji-xl/scheduler/scheduler_config.json");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto config = scheduler_config_from_json(text, "scheduler_config");
  EXPECT_EQ(config.beta_start, 0.00085);
  EXPECT_EQ(config.beta_end, 0.012);
  EXPECT_EQ(config.beta_schedule, "scaled_linear");
  EXPECT_EQ(config.steps_offset, 1);
  EXPECT_EQ(default_sampler(config), "euler");
  EXPECT_EQ(default_grid(config), "leading");
  const auto karras = of_class("EulerDiscreteScheduler", {{"use_karras_sigmas", true}, {"timestep_spacing", "trailing"}});
  EXPECT_EQ(default_grid(karras), "karras");
  EXPECT_EQ(karras.timestep_spacing, "trailing");
  EXPECT_EQ(default_grid(of_class("EulerDiscreteScheduler", {{"use_exponential_sigmas", true}})), "exponential");
}

TEST(SchedulerConfig, RefusesWhatItWouldComputeWrongly) {
  EXPECT_EQ(message_of("[1]"), "[scheduler_config] got [1], expected a JSON object");
  EXPECT_TRUE(message_of("{").starts_with("[scheduler_config] is not valid JSON: "));
  EXPECT_EQ(message_of(R"({"beta_start": "x"})"), "[scheduler_config] \"beta_start\": got \"x\", expected a number");
  EXPECT_EQ(message_of(R"({"beta_start": NaN})"), "[scheduler_config] \"beta_start\": got NaN, expected a number");
  EXPECT_EQ(message_of(R"({"beta_schedule": "squaredcos_cap_v2"})"),
            "[scheduler_config] \"beta_schedule\": got \"squaredcos_cap_v2\", expected linear or scaled_linear");
  EXPECT_EQ(message_of(R"({"trained_betas": [0.1]})"),
            "[scheduler_config] \"trained_betas\": got [0.1], expected null: it is not supported");
  EXPECT_EQ(message_of(R"({"sigma_min": 0})"), "[scheduler_config] \"sigma_min\": got 0, expected more than 0");
  EXPECT_EQ(message_of(R"({"_class_name": "EDMEulerScheduler", "sigma_max": Infinity})"),
            "[scheduler_config] \"sigma_max\": got inf, expected more than 0");
  EXPECT_EQ(message_of(R"({"timestep_type": "wave"})"),
            "[scheduler_config] \"timestep_type\": got \"wave\", expected discrete or continuous");
  EXPECT_EQ(message_of(R"({"beta_end": 1.5})"),
            "[scheduler_config] \"beta_end\": got 1.5, expected more than beta_start 0.0001 and less than 1");
  const auto edm = of_class("EDMEulerScheduler", {{"sigma_schedule", "exponential"}});
  EXPECT_EQ(default_grid(edm), "exponential");
  const auto schedule = make_noise_schedule(edm);
  for (const char* name : {"karras", "exponential"}) EXPECT_EQ(make_grid(schedule, GridRules::euler, name, 4).steps(), 4);
  for (const char* name : {"leading", "linspace", "trailing"})
    EXPECT_TRUE(message_of(ErrorKind::input, [&] {
                  make_grid(schedule, GridRules::euler, name, 4);
                }).starts_with("[schedule] got \"" + std::string(name) + "\" for a model of EDM's"));
  const auto sample = of_class("EulerDiscreteScheduler", {{"prediction_type", "sample"}});
  EXPECT_EQ(message_of(ErrorKind::input, [&] { make_sampler("euler_ancestral", sample); }),
            "[sampler] euler_ancestral does not draw with a model that predicts the sample; try --sampler euler or dpmpp_2m");
}

}  // namespace negativa::test
