#include "io/prediction_marks.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace {
constexpr const char *v_prediction_key = "v_pred", *zero_snr_key = "ztsnr", *sigma_max_key = "edm_vpred.sigma_max",
                     *sigma_min_key = "edm_vpred.sigma_min", *mean_key = "edm_mean", *std_key = "edm_std";
// Keys of our own in a scheduler_config.json.
constexpr const char *source_key = "_prediction_source", *unclear_key = "_prediction_unclear",
                     *zero_source_key = "_zero_snr_source";
constexpr const char* metadata_keys[] = {"modelspec.prediction_type", "modelspec.predict_key", "prediction_type"};

struct Statement {
  std::string type, source;
};

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// diffusers' name for what the specification, trainers and people write; empty: unknown.
std::string type_named(const std::string& written) {
  const std::string name = lower_case(written);
  for (const char* v : {"v", "v_prediction", "v-prediction", "vpred", "v_pred", "v-pred", "velocity"})
    if (name == v) return "v_prediction";
  for (const char* epsilon : {"epsilon", "eps"})
    if (name == epsilon) return "epsilon";
  for (const char* sample : {"sample", "x0", "original_sample"})
    if (name == sample) return "sample";
  return "";
}

bool says_true(const TensorFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found != file.metadata().end() && lower_case(found->second) == "true";
}

std::vector<double> numbers_of(const TensorFile& file, const char* key) {
  const Tensor values = file.load(key, at::kDouble).flatten();
  check(values.numel() > 0 && at::isfinite(values).all().item<bool>(), ErrorKind::file_format,
        "[{}] {} holds no numbers; the file is damaged", file.path().string(), key);
  return {values.data_ptr<double>(), values.data_ptr<double>() + values.numel()};
}

std::vector<Statement> statements_of(const TensorFile& file, PredictionMarks& marks) {
  std::vector<Statement> statements;
  if (file.find(v_prediction_key)) statements.push_back({"v_prediction", std::string("tensor ") + v_prediction_key});
  if (file.find(sigma_max_key)) statements.push_back({"v_prediction", std::string("tensor ") + sigma_max_key});
  if (file.find(mean_key) && file.find(std_key)) statements.push_back({"epsilon", std::string("tensor ") + mean_key});
  for (const char* key : metadata_keys) {
    const auto found = file.metadata().find(key);
    if (found == file.metadata().end() || found->second.empty()) continue;
    const auto type = type_named(found->second);
    if (type.empty())
      marks.unclear = fmt::format("[{}] predicts \"{}\" by its metadata ({}), expected epsilon, v or sample",
                                  file.path().string(), valid_utf8(found->second.substr(0, 40)), key);
    statements.push_back({type, std::string("metadata ") + key});
  }
  if (says_true(file, "ss_v_parameterization")) statements.push_back({"v_prediction", "metadata ss_v_parameterization"});
  return statements;
}

void read_edm(const TensorFile& file, PredictionMarks& marks) {
  if (file.find(sigma_max_key)) {  // CosXL: EDMEulerScheduler as its card sets it
    marks.edm = {0.002, numbers_of(file, sigma_max_key).front(), 1.0, "EDMEulerScheduler", "exponential"};
    if (file.find(sigma_min_key)) marks.edm->sigma_min = numbers_of(file, sigma_min_key).front();
  } else if (file.find(mean_key) && file.find(std_key)) {  // Playground 2.5
    marks.edm = {0.002, 80, 0.5, "EDMDPMSolverMultistepScheduler", "karras"};
    marks.latents_mean = numbers_of(file, mean_key);
    marks.latents_std = numbers_of(file, std_key);
  }
}

// The last word of a message: what ends the doubt. Training has no say in it.
constexpr const char* choice = "generate and compare take --prediction-type";
}  // namespace

PredictionMarks read_prediction_marks(const TensorFile& file) {
  PredictionMarks marks;
  const auto statements = statements_of(file, marks);
  if (!statements.empty()) {
    marks.type = statements.front().type;
    marks.type_source = statements.front().source;
  }
  if (file.find(zero_snr_key))
    marks.zero_snr_source = std::string("tensor ") + zero_snr_key;
  else if (says_true(file, "ss_zero_terminal_snr"))
    marks.zero_snr_source = "metadata ss_zero_terminal_snr";
  marks.zero_terminal_snr = !marks.zero_snr_source.empty();
  for (const auto& other : statements)
    if (marks.unclear.empty() && other.type != marks.type)
      marks.unclear = fmt::format("[{}] says that it predicts {} ({}) and that it predicts {} ({})", file.path().string(),
                                  marks.type, marks.type_source, other.type, other.source);
  if (marks.unclear.empty() && statements.empty() && marks.zero_terminal_snr)
    marks.unclear =
        fmt::format("[{}] was trained to zero terminal SNR ({}), where a model as a rule predicts v, but nothing in it says so",
                    file.path().string(), marks.zero_snr_source);
  if (!marks.unclear.empty()) marks.unclear += fmt::format("; {}", choice);
  read_edm(file, marks);
  return marks;
}

bool is_prediction_mark(std::string_view key) {
  for (const char* mark : {v_prediction_key, zero_snr_key, sigma_max_key, sigma_min_key, mean_key, std_key})
    if (key == mark) return true;
  return false;
}

std::string scheduler_config_json(const PredictionMarks& marks) {
  Json config = {{"_class_name", "EulerDiscreteScheduler"}, {"num_train_timesteps", 1000}};
  if (marks.edm)
    config.update(Json{{"_class_name", marks.edm->scheduler_class},
                       {"sigma_min", marks.edm->sigma_min},
                       {"sigma_max", marks.edm->sigma_max},
                       {"sigma_data", marks.edm->sigma_data},
                       {"sigma_schedule", marks.edm->sigma_schedule},
                       {"rho", 7.0},
                       {"final_sigmas_type", "zero"}});
  else
    config.update(Json{{"beta_start", 0.00085},
                       {"beta_end", 0.012},
                       {"beta_schedule", "scaled_linear"},
                       {"rescale_betas_zero_snr", marks.zero_terminal_snr},
                       {"interpolation_type", "linear"},
                       {"timestep_spacing", "leading"},
                       {"steps_offset", 1},
                       {"use_karras_sigmas", false}});
  config["prediction_type"] = marks.type.empty() ? "epsilon" : marks.type;
  config[source_key] = marks.type_source.empty() ? "default" : marks.type_source;
  if (!marks.unclear.empty()) config[unclear_key] = marks.unclear;
  config[zero_source_key] = marks.zero_snr_source.empty() ? "default" : marks.zero_snr_source;
  return config.dump();
}

std::string plain_scheduler_config(const std::string& config_json) {
  Json config = parse_json(config_json, names::scheduler_config);
  check(!config.contains(unclear_key), ErrorKind::input, "{}",
        get_or<std::string>(config, unclear_key, "", names::scheduler_config));
  if (!config.contains(source_key) && !config.contains(zero_source_key)) return config_json;
  for (const char* key : {source_key, zero_source_key}) config.erase(key);
  return config.dump();
}

namespace {

// What name and metadata say of a model, each with where it stands.
constexpr std::string_view titles[] = {"modelspec.title", "modelspec.architecture"},
                           hints[] = {"modelspec.title", "modelspec.usage_hint", "modelspec.description"};
std::vector<std::pair<std::string, std::string>> texts_about(const std::string& name, const TensorFile* file,
                                                             std::span<const std::string_view> keys) {
  std::vector<std::pair<std::string, std::string>> texts{{"its name", name}};
  if (!file) return texts;
  for (const auto key : keys)
    if (const auto found = file->metadata().find(std::string(key)); found != file->metadata().end())
      texts.emplace_back("metadata " + found->first, found->second);
  return texts;
}

// "4step", "4-step", "8 steps"
std::optional<int> steps_in(const std::string& text) {
  const std::string lower = lower_case(text);
  for (size_t at = lower.find("step"); at != std::string::npos; at = lower.find("step", at + 1)) {
    size_t end = at;
    if (end > 0 && (lower[end - 1] == '-' || lower[end - 1] == '_' || lower[end - 1] == ' ')) --end;
    size_t begin = end;
    while (begin > 0 && lower[begin - 1] >= '0' && lower[begin - 1] <= '9') --begin;
    if (begin < end && end - begin <= 2 && lower[begin] != '0') return std::stoi(lower.substr(begin, end - begin));
  }
  return {};
}

}  // namespace

std::optional<int> distilled_steps(const std::string& name, const TensorFile* file) {
  for (const auto& [what, text] : texts_about(name, file, hints))
    if (const auto steps = steps_in(text)) return steps;
  return {};
}

bool says_x0(const std::string& name) {
  const std::string lower = lower_case(name);
  return lower.find("_x0") != std::string::npos || lower.find("-x0") != std::string::npos;
}

std::map<std::string, Tensor> prediction_mark_tensors(const std::string& scheduler_json, const std::string& vae_json) {
  const Json scheduler = parse_json(scheduler_json, names::scheduler_config), vae = parse_json(vae_json, names::vae);
  const auto text = [&](const char* key) { return get_or<std::string>(scheduler, key, "", names::scheduler_config); };
  const auto numbers = [](const Json& json, const char* key) {
    return get_or<std::vector<double>>(json, key, std::vector<double>{}, names::vae);
  };
  std::map<std::string, Tensor> marks;
  const bool predicts_v = text("prediction_type") == "v_prediction", is_edm = text("_class_name").starts_with("EDM");
  const auto mean = numbers(vae, "latents_mean"), std = numbers(vae, "latents_std");
  if (is_edm && predicts_v) {
    for (const auto& [name, key] : {std::pair{sigma_max_key, "sigma_max"}, {sigma_min_key, "sigma_min"}})
      if (scheduler.contains(key)) marks[name] = at::full({}, get_or<double>(scheduler, key, 0.0, names::scheduler_config));
  } else if (is_edm && !mean.empty() && !std.empty()) {
    const int64_t channels = static_cast<int64_t>(mean.size());
    marks[mean_key] = at::tensor(mean, at::kFloat).view({1, channels, 1, 1});
    marks[std_key] = at::tensor(std, at::kFloat).view({1, -1, 1, 1});
  } else if (predicts_v) {
    marks[v_prediction_key] = at::empty({0});
  }
  if (!is_edm && get_or<bool>(scheduler, "rescale_betas_zero_snr", false, names::scheduler_config))
    marks[zero_snr_key] = at::empty({0});
  return marks;
}

std::optional<std::string> sign_of_distilling(const std::string& name, const TensorFile* file) {
  for (const auto& [what, text] : texts_about(name, file, titles))
    for (const char* word : {"turbo", "lightning", "lcm", "hyper-sd", "hypersd", "dmd2"})
      if (lower_case(text).find(word) != std::string::npos) return fmt::format("{} says {}", what, word);
  return {};
}

}  // namespace negativa
