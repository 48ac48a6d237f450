#include "schedule/scheduler_config.h"

#include "base/config_reader.h"
#include "base/names.h"

namespace negativa {

namespace {

// Keys that not every class of diffusers takes.
enum Key : unsigned {
  spacing = 1,        // timestep_spacing, steps_offset
  final_sigma = 2,    // final_sigmas_type
  sigma_curves = 4,   // use_karras_sigmas, use_exponential_sigmas, use_beta_sigmas
  flow = 8,           // use_flow_sigmas
  zero_snr = 16,      // rescale_betas_zero_snr
  clipped = 32,       // lambda_min_clipped
  lower_order = 64,   // lower_order_final
  euler_last = 128,   // euler_at_final
  of_euler = 256,     // interpolation_type, timestep_type, sigma_min, sigma_max
  of_dpmpp_2m = 512,  // solver_order, algorithm_type, solver_type, thresholding
  lu_lambdas = 1024,  // use_lu_lambdas
  of_edm = 2048,      // sigma_min, sigma_max, sigma_data, sigma_schedule, rho; and no betas
  clipped_x0 = 4096,  // clip_sample
};

struct Betas {
  double start, end;
  const char* schedule;
};
constexpr Betas of_ddpm{0.0001, 0.02, "linear"}, of_heun{0.00085, 0.012, "linear"}, of_sdxl{0.00085, 0.012, "scaled_linear"};

struct Class {
  const char* name;
  const char* sampler;  // that draws for it; nullptr: none can
  bool is_own;          // the sampler is that class
  unsigned keys;
  Betas betas;
  const char* default_spacing;
  int64_t default_offset = 0;
};
constexpr const char *linspace = "linspace", *leading = "leading";
constexpr unsigned ddim = spacing | zero_snr, k_diffusion = spacing | sigma_curves, solver = sigma_curves | flow | lower_order;

// The parameters of each class's __init__ in diffusers 0.42.1; for one that another draws for, those that both take: what
// from_config would hand over.
constexpr Class classes[] = {
    {"EulerDiscreteScheduler", "euler", true, ddim | final_sigma | sigma_curves | of_euler, of_ddpm, linspace},
    {"EulerAncestralDiscreteScheduler", "euler_ancestral", true, ddim, of_ddpm, linspace},
    {"DPMSolverMultistepScheduler", "dpmpp_2m", true,
     ddim | solver | final_sigma | clipped | lu_lambdas | euler_last | of_dpmpp_2m, of_ddpm, linspace},
    {"HeunDiscreteScheduler", "heun", true, k_diffusion | clipped_x0, of_heun, linspace},
    {"EDMEulerScheduler", "euler", true, of_edm | final_sigma, of_sdxl, linspace},
    {"EDMDPMSolverMultistepScheduler", "dpmpp_2m", true, of_edm | final_sigma | lower_order | euler_last | of_dpmpp_2m, of_sdxl,
     linspace},
    {"DDIMScheduler", "euler", false, ddim, of_ddpm, leading},
    {"DDIMParallelScheduler", "euler", false, ddim, of_ddpm, leading},
    {"DDIMInverseScheduler", "euler", false, ddim, of_ddpm, leading},
    {"CogVideoXDDIMScheduler", "euler", false, ddim, of_sdxl, leading},
    {"DDPMScheduler", "euler", false, ddim, of_ddpm, leading},
    {"DDPMParallelScheduler", "euler", false, ddim, of_ddpm, leading},
    {"PNDMScheduler", "euler", false, spacing, of_ddpm, leading},
    {"LMSDiscreteScheduler", "euler", false, k_diffusion, of_ddpm, linspace},
    {"KDPM2DiscreteScheduler", "euler", false, k_diffusion, of_heun, linspace},
    {"DPMSolverSDEScheduler", "euler", false, k_diffusion, of_heun, linspace},
    {"SASolverScheduler", "euler", false, k_diffusion | flow, of_ddpm, linspace},
    {"KDPM2AncestralDiscreteScheduler", "euler_ancestral", false, spacing, of_heun, linspace},
    {"UniPCMultistepScheduler", "dpmpp_2m", false, ddim | solver | final_sigma, of_ddpm, linspace},
    {"DEISMultistepScheduler", "dpmpp_2m", false, spacing | solver, of_ddpm, linspace},
    {"DPMSolverSinglestepScheduler", "dpmpp_2m", false, solver | final_sigma | clipped, of_ddpm, linspace},
    {"DPMSolverMultistepInverseScheduler", "dpmpp_2m", false, spacing | solver | clipped | euler_last, of_ddpm, linspace},
    {"LCMScheduler", nullptr, false, ddim, of_sdxl, leading},
    {"TCDScheduler", nullptr, false, ddim, of_sdxl, leading},
};
// Any other: SDXL's own noise schedule where the file has none.
constexpr Class flow_match{"", nullptr, false, 0, of_sdxl, leading, 1};
constexpr Class unknown_class{"", "euler", false, ddim | final_sigma | sigma_curves | flow, of_sdxl, leading, 1};

const Class& class_of(const std::string& name) {
  for (const auto& known : classes)
    if (name == known.name) return known;
  return name.starts_with("FlowMatch") ? flow_match : unknown_class;
}

bool is_on(const ConfigReader& reader, const char* key) { return reader.get(key, false); }

// An end of the grids; absent: that of the model's own grid.
void read_sigma(const ConfigReader& reader, const char* key, std::optional<double>& sigma) {
  if (reader.has(key)) reader.read_positive(key, sigma.emplace());
}

void read_noise_schedule(const ConfigReader& reader, const Class& known, SchedulerConfig& config) {
  config.beta_start = known.betas.start;
  config.beta_end = known.betas.end;
  reader.read_size("num_train_timesteps", config.num_train_timesteps);
  reader.check(config.num_train_timesteps >= 2, "num_train_timesteps", "at least 2");
  if (known.keys & of_edm) return;
  reader.expect("trained_betas", nullptr, ": it is not supported");
  reader.read("beta_start", config.beta_start);
  reader.read("beta_end", config.beta_end);
  config.beta_schedule = reader.one_of("beta_schedule", known.betas.schedule, {"linear", "scaled_linear"});
  reader.check(config.beta_start > 0 && config.beta_start < 1, "beta_start", "more than 0 and less than 1");
  reader.check(config.beta_end > config.beta_start && config.beta_end < 1, "beta_end", "more than beta_start {} and less than 1",
               config.beta_start);
}

void read_edm(const ConfigReader& reader, SchedulerConfig& config) {
  Edm& edm = config.edm.emplace();
  for (const auto& [key, value] : {std::pair{"sigma_min", &edm.sigma_min},
                                   {"sigma_max", &edm.sigma_max},
                                   {"sigma_data", &edm.sigma_data},
                                   {"rho", &edm.rho}})
    reader.read_positive(key, *value);
  reader.check(edm.sigma_min < edm.sigma_max, reader.has("sigma_max") ? "sigma_max" : "sigma_min",
               "sigma_max above sigma_min; they are {} and {}", edm.sigma_max, edm.sigma_min);
  edm.sigma_schedule = reader.one_of("sigma_schedule", "karras", {"karras", "exponential"});
}

std::optional<PredictionType> prediction_from_name(const std::string& name, const std::string& class_name) {
  for (const auto type : {PredictionType::epsilon, PredictionType::v_prediction, PredictionType::sample})
    if (name == prediction_name(type)) return type;
  if (name == "original_sample" && class_name == "EulerDiscreteScheduler") return PredictionType::sample;  // its older name
  return {};
}

void read_prediction(const ConfigReader& reader, const PredictionRequest& asked, SchedulerConfig& config) {
  const std::string of_file = names::scheduler_config;
  if (asked.type) {
    config.prediction_type = *asked.type;
    config.prediction_source = "--prediction-type";
  } else {
    check(!reader.has("_prediction_unclear"), ErrorKind::input, "{}", reader.get<std::string>("_prediction_unclear", ""));
    const auto name = reader.get<std::string>("prediction_type", "epsilon");
    const auto type = prediction_from_name(name, config.class_name);
    reader.check(type.has_value(), "prediction_type",
                 "epsilon, v_prediction or sample; --prediction-type says what to take it for");
    config.prediction_type = *type;
    config.prediction_source =
        reader.get<std::string>("_prediction_source", reader.has("prediction_type") ? of_file : config.prediction_source);
  }
  check(!config.edm || config.prediction_type != PredictionType::sample, ErrorKind::input,
        "[{}] a model of EDM's preconditioning predicts epsilon or v, got sample", config.prediction_source);
}

void read_zero_snr(const ConfigReader& reader, const Class& known, const PredictionRequest& asked, SchedulerConfig& config) {
  if (asked.zero_snr) {
    if (config.edm && *asked.zero_snr)
      fail(ErrorKind::input, "[--zero-snr] the model has EDM's noise levels ({} to {}) and no betas to rescale",
           config.edm->sigma_min, config.edm->sigma_max);
    config.rescale_betas_zero_snr = *asked.zero_snr;
    config.zero_snr_source = "--zero-snr";
  } else if ((known.keys & zero_snr) && reader.has("rescale_betas_zero_snr")) {
    config.rescale_betas_zero_snr = is_on(reader, "rescale_betas_zero_snr");
    config.zero_snr_source = reader.get<std::string>("_zero_snr_source", names::scheduler_config);
  }
}

std::string not_built(const ConfigReader& reader, const std::string& what) {
  return fmt::format("[{}] {} is not built; choose with --schedule", reader.where(), what);
}

void read_grid(const ConfigReader& reader, const Class& known, SchedulerConfig& config) {
  config.timestep_spacing = known.default_spacing;
  config.steps_offset = known.default_offset;
  if (known.keys & spacing) {
    reader.read("steps_offset", config.steps_offset);
    config.timestep_spacing = reader.one_of("timestep_spacing", config.timestep_spacing, {"leading", "linspace", "trailing"});
  }
  if (known.keys & final_sigma) config.final_sigmas_type = reader.one_of("final_sigmas_type", "zero", {"zero", "sigma_min"});
  if (known.keys & clipped) reader.read_number("lambda_min_clipped", config.lambda_min_clipped);
  if (known.keys & sigma_curves) {
    config.use_karras_sigmas = is_on(reader, "use_karras_sigmas");
    config.use_exponential_sigmas = is_on(reader, "use_exponential_sigmas");
    if (config.use_karras_sigmas && config.use_exponential_sigmas)
      config.grid_refusal = not_built(reader, "use_karras_sigmas together with use_exponential_sigmas");
    if (is_on(reader, "use_beta_sigmas")) config.grid_refusal = not_built(reader, "use_beta_sigmas");
  }
  if ((known.keys & lu_lambdas) && is_on(reader, "use_lu_lambdas")) config.grid_refusal = not_built(reader, "use_lu_lambdas");
  if (!(known.keys & of_euler)) return;
  if (reader.one_of("interpolation_type", "linear", {"linear", "log_linear"}) == "log_linear")
    config.grid_refusal = not_built(reader, "interpolation_type log_linear");
  config.continuous_timesteps = reader.one_of("timestep_type", "discrete", {"discrete", "continuous"}) == "continuous";
  read_sigma(reader, "sigma_min", config.sigma_min);
  read_sigma(reader, "sigma_max", config.sigma_max);
}

// What a DPM++ of the config does otherwise than dpmpp_2m: " of solver_order 3". Empty: nothing.
std::string other_solver(const ConfigReader& reader) {
  int64_t order = 2;
  reader.read("solver_order", order);
  if (order != 2) return fmt::format(" of solver_order {}", order);
  // Names of other classes' algorithms, which diffusers takes for these.
  const auto algorithm = reader.get<std::string>("algorithm_type", "dpmsolver++"),
             type = reader.get<std::string>("solver_type", "midpoint");
  if (algorithm != "dpmsolver++" && algorithm != "deis") return fmt::format(" of algorithm_type {}", algorithm);
  if (type == "heun") return " of solver_type heun";
  return "";
}

std::string advice_for(const std::string& class_name) {
  if (class_name == "LCMScheduler" || class_name == "TCDScheduler")
    return "it means a model distilled to few steps; try --sampler euler_ancestral --steps 8 --cfg-scale 1";
  return "it means a model of flow matching, which predicts neither noise nor v; --sampler draws with it all the same";
}

void read_sampler(const ConfigReader& reader, const Class& known, SchedulerConfig& config) {
  if (known.keys & lower_order) {
    config.lower_order_final = config.class_name != "DPMSolverSinglestepScheduler";
    reader.read("lower_order_final", config.lower_order_final);
  }
  if (known.keys & euler_last) reader.read("euler_at_final", config.euler_at_final);
  config.sampler = known.sampler ? known.sampler : "euler";
  const bool is_own_sampler = (known.keys & of_dpmpp_2m) != 0;
  const std::string other = is_own_sampler ? other_solver(reader) : "";
  if (!known.is_own || !other.empty())
    config.replacement =
        fmt::format("the model's scheduler is {}{}, which is not built: {} draws in its place (--sampler chooses another)",
                    config.class_name, other, config.sampler);
  if (!known.sampler)
    config.sampler_refusal = fmt::format("[{}] {} is not built, and no other stands for it: {}", reader.where(),
                                         config.class_name, advice_for(config.class_name));
  else if ((known.keys & flow) && is_on(reader, "use_flow_sigmas"))
    config.sampler_refusal = fmt::format("[{}] use_flow_sigmas is not built: {}", reader.where(), advice_for("FlowMatch"));
  for (const auto& [of_class, key] : {std::pair{of_dpmpp_2m, "thresholding"}, {clipped_x0, "clip_sample"}})
    if (config.sampler_refusal.empty() && (known.keys & of_class) && is_on(reader, key))
      config.sampler_refusal =
          fmt::format("[{}] {} is not built, nor does it suit latents; choose with --sampler", reader.where(), key);
}

}  // namespace

std::string prediction_name(PredictionType type) {
  if (type == PredictionType::v_prediction) return "v_prediction";
  return type == PredictionType::sample ? "sample" : "epsilon";
}

SchedulerConfig scheduler_config_from_json(std::string_view text, std::string_view where, const PredictionRequest& asked) {
  const ConfigReader reader(text, std::string(where), DuplicateKeys::last_wins);
  SchedulerConfig config;
  reader.read("_class_name", config.class_name);
  const Class& known = class_of(config.class_name);
  read_noise_schedule(reader, known, config);
  if (known.keys & of_edm) read_edm(reader, config);
  read_prediction(reader, asked, config);
  read_zero_snr(reader, known, asked, config);
  read_grid(reader, known, config);
  read_sampler(reader, known, config);
  return config;
}

std::string default_sampler(const SchedulerConfig& config) {
  check(config.sampler_refusal.empty(), ErrorKind::input, "{}", config.sampler_refusal);
  return config.sampler;
}

std::string default_grid(const SchedulerConfig& config) {
  check(config.grid_refusal.empty(), ErrorKind::input, "{}", config.grid_refusal);
  if (config.edm) return config.edm->sigma_schedule;
  if (config.use_karras_sigmas) return "karras";
  return config.use_exponential_sigmas ? "exponential" : config.timestep_spacing;
}

std::optional<std::string> sign_of_distilling(const SchedulerConfig& config) {
  if (config.class_name == "LCMScheduler" || config.class_name == "TCDScheduler") return config.class_name;
  // Zero terminal SNR asks for trailing too, and v prediction goes with it.
  const bool is_trailing = !config.edm && config.timestep_spacing == "trailing" && !config.rescale_betas_zero_snr;
  if (is_trailing && config.prediction_type != PredictionType::v_prediction)
    return "trailing timesteps, as SDXL-Turbo and SDXL-Lightning have";
  return {};
}

}  // namespace negativa
