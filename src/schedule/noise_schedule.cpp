#include "schedule/noise_schedule.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace negativa {

namespace {
struct KnownClass {
  const char* class_name;
  const char* sampler;
};
constexpr KnownClass known_classes[] = {
    {"EulerDiscreteScheduler", "euler"},
    {"EulerAncestralDiscreteScheduler", "euler_ancestral"},
    {"DPMSolverMultistepScheduler", "dpmpp_2m"},
};

const KnownClass* find_class(const std::string& class_name) {
  for (const auto& known : known_classes)
    if (class_name == known.class_name) return &known;
  return nullptr;
}

std::string known_class_names() {
  std::vector<std::string> names;
  for (const auto& known : known_classes) names.push_back(known.class_name);
  return fmt::format("{}", fmt::join(names, ", "));
}

// Reads keys of one JSON object into variables that hold the class default.
class Reader {
 public:
  explicit Reader(std::string_view text) : json_(nlohmann::json::parse(text, nullptr, false)) {
    check(json_.is_object(), ErrorKind::file_format,
          "[scheduler_config] got text that is no JSON object, expected scheduler_config.json");
  }

  bool has(const char* key) const { return json_.contains(key) && !json_.at(key).is_null(); }

  template <class T>
  void read(const char* key, T& value) const {
    if (!has(key)) return;
    try {
      json_.at(key).get_to(value);
    } catch (const nlohmann::json::exception&) {
      fail(ErrorKind::file_format, "[scheduler_config] got {} = {}, expected another type of value", key, json_.at(key).dump());
    }
  }

  void read_one_of(const char* key, std::string& value, const std::vector<std::string>& allowed) const {
    read(key, value);
    check(std::find(allowed.begin(), allowed.end(), value) != allowed.end(), ErrorKind::file_format,
          "[scheduler_config] got {} = \"{}\", expected {}", key, value, fmt::join(allowed, " or "));
  }

 private:
  nlohmann::json json_;
};

// Options that change the schedule and are not built: silence would give other pictures.
void refuse_unsupported(const Reader& reader) {
  for (const char* key : {"use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas", "thresholding"}) {
    bool on = false;
    reader.read(key, on);
    check(!on, ErrorKind::file_format, "[scheduler_config] got {} = true, expected false: it is not supported", key);
  }
  for (const char* key : {"trained_betas", "sigma_min", "sigma_max"})
    check(!reader.has(key), ErrorKind::file_format, "[scheduler_config] got a value for {}, expected null: it is not supported",
          key);
}

void read_dpm_solver(const Reader& reader, SchedulerConfig& config) {
  std::string algorithm = "dpmsolver++", solver = "midpoint";
  int64_t order = 2;
  reader.read_one_of("algorithm_type", algorithm, {"dpmsolver++"});
  reader.read_one_of("solver_type", solver, {"midpoint"});
  reader.read("solver_order", order);
  check(order == 2, ErrorKind::file_format, "[scheduler_config] got solver_order = {}, expected 2", order);
  reader.read("lower_order_final", config.lower_order_final);
  reader.read("euler_at_final", config.euler_at_final);
}

// The betas of a schedule whose last ᾱ is zero: sqrt(ᾱ) shifted and stretched so that its first value stays.
Tensor rescale_to_zero_snr(const Tensor& betas) {
  auto root = (1.0 - betas).cumprod(0).sqrt();
  const auto first = root[0].clone(), last = root[-1].clone();
  root = (root - last) * (first / (first - last));
  const auto alphas_cumprod = root.square();
  const auto alphas = at::cat({alphas_cumprod.narrow(0, 0, 1), alphas_cumprod.slice(0, 1) / alphas_cumprod.slice(0, 0, -1)});
  return 1.0 - alphas;
}
}  // namespace

SchedulerConfig scheduler_config_from_json(std::string_view text) {
  const Reader reader(text);
  SchedulerConfig config;
  reader.read("_class_name", config.class_name);
  if (!find_class(config.class_name))
    for (const char* key : {"beta_start", "beta_end", "beta_schedule", "timestep_spacing"})
      check(reader.has(key), ErrorKind::file_format,
            "[scheduler_config] got class {} without {}, expected the key or one of the classes whose defaults are known: {}",
            config.class_name, key, known_class_names());
  refuse_unsupported(reader);
  reader.read("beta_start", config.beta_start);
  reader.read("beta_end", config.beta_end);
  reader.read_one_of("beta_schedule", config.beta_schedule, {"linear", "scaled_linear"});
  reader.read("num_train_timesteps", config.num_train_timesteps);
  reader.read("steps_offset", config.steps_offset);
  reader.read_one_of("timestep_spacing", config.timestep_spacing, {"leading", "linspace", "trailing"});
  reader.read_one_of("interpolation_type", config.interpolation_type, {"linear"});
  reader.read_one_of("final_sigmas_type", config.final_sigmas_type, {"zero", "sigma_min"});
  std::string prediction = "epsilon";
  reader.read_one_of("prediction_type", prediction, {"epsilon", "v_prediction"});
  if (prediction == "v_prediction") config.prediction_type = PredictionType::v_prediction;
  reader.read("use_karras_sigmas", config.use_karras_sigmas);
  reader.read("rescale_betas_zero_snr", config.rescale_betas_zero_snr);
  if (config.class_name == "DPMSolverMultistepScheduler") read_dpm_solver(reader, config);
  check(config.num_train_timesteps >= 2 && config.beta_start > 0 && config.beta_end > config.beta_start && config.beta_end < 1,
        ErrorKind::file_format,
        "[scheduler_config] got {} timesteps with beta {} to {}, expected at least 2 and 0 < beta_start < beta_end < 1",
        config.num_train_timesteps, config.beta_start, config.beta_end);
  return config;
}

std::string default_sampler(const SchedulerConfig& config) {
  if (const auto* known = find_class(config.class_name)) return known->sampler;
  fail(ErrorKind::input, "[scheduler_config] got class {}, expected one of {}; choose with --sampler", config.class_name,
       known_class_names());
}

std::string default_grid(const SchedulerConfig& config) { return config.use_karras_sigmas ? "karras" : config.timestep_spacing; }

NoiseSchedule make_noise_schedule(const SchedulerConfig& config) {
  const bool scaled = config.beta_schedule == "scaled_linear";
  const auto edge = [&](double beta) { return scaled ? std::sqrt(beta) : beta; };
  auto betas = at::linspace(edge(config.beta_start), edge(config.beta_end), config.num_train_timesteps, at::kFloat);
  if (scaled) betas = betas.square();
  if (config.rescale_betas_zero_snr) betas = rescale_to_zero_snr(betas);
  // ATen's cumprod accumulates fp32 in double; a loop over floats would be off by 1e-6.
  auto alphas_cumprod = (1.0 - betas).cumprod(0);
  if (config.rescale_betas_zero_snr) alphas_cumprod[-1].fill_(std::ldexp(1.0, -24));
  return {config, alphas_cumprod, ((1.0 - alphas_cumprod) / alphas_cumprod).sqrt()};
}

}  // namespace negativa
