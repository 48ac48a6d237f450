#include "jobs/inspect_model.h"

#include <fmt/ranges.h>

#include "base/sha256.h"
#include "io/models_folder.h"
#include "io/prediction_marks.h"
#include "model/models.h"
#include "schedule/sigma_grid.h"

namespace negativa {

namespace {

// "2", or "4+4" where the resnets of a block have transformers of several depths.
std::string depths_text(const std::vector<int64_t>& depths) {
  if (depths.empty()) return "0";
  const bool same = std::all_of(depths.begin(), depths.end(), [&](int64_t depth) { return depth == depths.front(); });
  return same ? std::to_string(depths.front()) : fmt::format("{}", fmt::join(depths, "+"));
}

// The way up has other depths than the way down.
bool is_pruned(const UNetConfig::Block& block) {
  return !block.down_depths.empty() && !block.up_depths.empty() && depths_text(block.down_depths) != depths_text(block.up_depths);
}

std::string unet_facts(const UNetConfig& config) {
  std::vector<int64_t> channels, heads;
  std::vector<std::string> depths;
  for (const auto& block : config.blocks) {
    channels.push_back(block.channels);
    depths.push_back(depths_text(block.down_depths));
    if (is_pruned(block)) depths.back() += "/" + depths_text(block.up_depths);
    heads.push_back(block.num_attention_heads);
  }
  const char* middle = config.middle == UNetConfig::Middle::attention ? ""
                       : config.middle == UNetConfig::Middle::resnet  ? ", one resnet in the middle"
                                                                      : ", nothing in the middle";
  return fmt::format("channels {}, transformer layers {}{}, heads {}, context {} wide, latents {}x{}{}", fmt::join(channels, " "),
                     fmt::join(depths, " "), middle, fmt::join(heads, " "), config.cross_attention_dim(), config.sample_size,
                     config.sample_size,
                     config.in_channels == config.out_channels
                         ? ""
                         : fmt::format(", takes {} channels and gives {}", config.in_channels, config.out_channels));
}

// Describes the part and checks that its weights are just those its config asks for.
std::string check_part(const ModelFiles& files, const std::string& part, const Weights& weights) {
  const std::string config = files.config_json(part), where = files.config_name(part);
  if (part == "unet") {
    const auto unet = UNetConfig::from_json(config, where);
    UNet::check_weights(unet, weights);
    return unet_facts(unet);
  }
  if (part == "vae") {
    const auto vae = VaeConfig::from_json(config, where);
    Vae::check_weights(vae, weights);
    return fmt::format("channels {}, factor {}, scaling factor {}{}{}", fmt::join(vae.block_out_channels, " "), vae.factor(),
                       vae.scaling_factor, vae.latents_mean.empty() ? "" : ", latents normalised",
                       vae.force_upcast ? ", decodes in fp32" : "");
  }
  const auto text = CLIPTextConfig::parse(config, where);
  CLIPTextModel::check_weights(part, text, weights);
  return fmt::format("{} wide, {} layers, {} heads, {}", text.hidden_size, text.num_hidden_layers, text.num_attention_heads,
                     text.hidden_act);
}

// Whatever is wrong with a scheduler is a line of the report, no end of it.
void describe_scheduler(const ModelFiles& files, ModelReport& report) {
  const auto without_end = [&](auto&& read) {
    try {
      return read();
    } catch (const Error& error) {
      report.remarks.push_back(error.what());
      return std::string("none");
    }
  };
  without_end([&] {
    report.scheduler = "none";
    const auto scheduler = scheduler_config_from_json(files.config_json("scheduler"), files.config_name("scheduler"));
    report.prediction = prediction_name(scheduler.prediction_type);
    report.prediction_source = scheduler.prediction_source;
    report.zero_snr = scheduler.rescale_betas_zero_snr;
    report.zero_snr_source = scheduler.zero_snr_source;
    if (!scheduler.replacement.empty() && scheduler.sampler_refusal.empty()) report.remarks.push_back(scheduler.replacement);
    if (scheduler.edm)
      report.remarks.push_back(fmt::format("EDM's preconditioning: sigma {} to {}, of data {}", scheduler.edm->sigma_min,
                                           scheduler.edm->sigma_max, scheduler.edm->sigma_data));
    else if (has_continuous_timesteps(scheduler))
      report.remarks.push_back("continuous timesteps: the UNet is told ln(sigma) / 4");
    auto sign = sign_of_distilling(scheduler);
    if (!sign) sign = sign_of_distilling(files.name, files.file.get());
    if (sign)
      report.remarks.push_back(fmt::format("looks distilled to few steps: {}; try --steps {} --cfg-scale 1", *sign,
                                           distilled_steps(files.name, files.file.get()).value_or(8)));
    report.scheduler =
        without_end([&] { return default_sampler(scheduler); }) + ", " + without_end([&] { return default_grid(scheduler); });
    return report.scheduler;
  });
}

// A model of full size takes seconds to minutes to hash, its headers milliseconds to read.
constexpr uintmax_t hashed_without_asking_bytes = 256 << 20;

std::string hash_of(const std::filesystem::path& file, bool all, const Hashing& hashing) {
  std::error_code ignored;
  if (all || std::filesystem::file_size(file, ignored) < hashed_without_asking_bytes) return cached_sha256_file(file, hashing);
  return known_sha256_file(file, hashing).value_or("");
}

}  // namespace

ModelReport model_inspect(Engine& engine, const ModelInspectOptions& options, EventSink&, const CancelToken& cancel) {
  const Places& places = engine.places();
  const ModelFiles files = open_model(model_or_default(options.model, places), places);
  ModelReport report;
  report.name = files.name;
  report.layout = files.layout == ModelFiles::folder ? "diffusers folder" : "single file";
  for (const char* part : {"text_encoder", "text_encoder_2", "unet", "vae"}) {
    if (!files.has(part)) continue;
    const Weights weights = files.weights(part);
    ModelReport::Part& row = report.parts.emplace_back();
    row.name = part;
    row.facts = check_part(files, part, weights);
    for (const auto& [key, source] : weights) {
      const int64_t parameters = c10::multiply_integers(source.shape());
      ++row.tensors;
      row.parameters += parameters;
      row.bytes += parameters * dtype_bytes(source.dtype());
      ++row.dtypes[dtype_name(source.dtype())];
    }
  }
  describe_scheduler(files, report);
  for (const auto& file : files.files())
    report.files.emplace_back(
        files.layout == ModelFiles::folder ? file.lexically_relative(files.path).generic_string() : file.filename().string(),
        hash_of(file, options.hashes, engine.hashing(&cancel)));
  report.unused_keys = files.unused_keys();
  return report;
}

}  // namespace negativa
