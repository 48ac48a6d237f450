#include "jobs/inspect_model.h"

#include <fmt/ranges.h>

#include "base/json.h"
#include "base/sha256.h"
#include "pipeline/models.h"

namespace negativa {

namespace {

std::string unet_facts(const UNetConfig& config) {
  std::vector<int64_t> channels, depth, heads;
  for (const auto& block : config.blocks) {
    channels.push_back(block.channels);
    depth.push_back(block.down_attention ? block.transformer_layers : 0);
    heads.push_back(block.num_attention_heads);
  }
  return fmt::format("channels {}, transformer layers {}, heads {}, context {} wide, latents {}x{}", fmt::join(channels, " "), fmt::join(depth, " "),
                     fmt::join(heads, " "), config.cross_attention_dim(), config.sample_size, config.sample_size);
}

// Describes the part and checks that its weights are just those its config asks for.
std::string check_part(const ModelFiles& files, const std::string& part, const Weights& weights) {
  const std::string config = files.config_json(part), where = files.name + "/" + part + "/config.json";
  if (part == "unet") {
    UNet unet(UNetConfig::from_json(config, where));
    nn::check_weights(part, nn::walk(unet), weights);
    return unet_facts(unet.config);
  }
  if (part == "vae") {
    Vae vae(VaeConfig::from_json(config, where));
    nn::check_weights(part, nn::walk(vae), weights);
    return fmt::format("channels {}, factor {}, scaling factor {}{}", fmt::join(vae.config.block_out_channels, " "), vae.config.factor(),
                       vae.config.scaling_factor, vae.config.force_upcast ? ", decodes in fp32" : "");
  }
  const auto text = CLIPTextConfig::parse(config, where);
  CLIPTextModel encoder(text);
  nn::check_weights(part, nn::walk(encoder), weights);
  return fmt::format("{} wide, {} layers, {} heads, {}", text.hidden_size, text.num_hidden_layers, text.num_attention_heads, text.hidden_act);
}

}  // namespace

ModelReport inspect_model(const std::filesystem::path& path, const CancelToken* cancel) {
  const ModelFiles files = open_model(path);
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
  const auto scheduler = scheduler_config_from_json(files.config_json("scheduler"));
  report.scheduler = fmt::format("{}, {}", default_sampler(scheduler), default_grid(scheduler));
  for (const auto& file : files.files())
    report.files.emplace_back(files.layout == ModelFiles::folder ? std::filesystem::relative(file, files.path).generic_string() : file.filename().string(),
                              cached_sha256_file(file, cancel));
  report.unused_keys = files.unused_keys();
  return report;
}

std::string report_text(const ModelReport& report) {
  std::string text = fmt::format("{}: {}, {}\n\n{:<16} {:>7} {:>14} {:>10}  {}\n", report.name, report.layout, report.scheduler, "part", "tensors", "parameters",
                                 "MiB", "stored as");
  for (const auto& part : report.parts) {
    std::string dtypes;
    for (const auto& [dtype, count] : part.dtypes) dtypes += fmt::format("{}{}", dtypes.empty() ? "" : ", ", part.dtypes.size() > 1 ? fmt::format("{} {}", count, dtype) : dtype);
    text += fmt::format("{:<16} {:>7} {:>14} {:>10.1f}  {}\n{:<16} {}\n", part.name, part.tensors, part.parameters, static_cast<double>(part.bytes) / double(1 << 20), dtypes,
                        "", part.facts);
  }
  text += "\nSHA-256\n";
  for (const auto& [name, hash] : report.files) text += fmt::format("{}  {}\n", hash, name);
  if (!report.unused_keys.empty()) text += fmt::format("\n{} keys belong to no part, as {}\n", report.unused_keys.size(), report.unused_keys.front());
  return text;
}

std::string report_json(const ModelReport& report) {
  Json parts = Json::object(), files = Json::object();
  for (const auto& part : report.parts)
    parts[part.name] = {{"tensors", part.tensors}, {"parameters", part.parameters}, {"bytes", part.bytes}, {"dtypes", part.dtypes}, {"facts", part.facts}};
  for (const auto& [name, hash] : report.files) files[name] = hash;
  return Json({{"name", report.name}, {"layout", report.layout}, {"scheduler", report.scheduler}, {"parts", parts}, {"sha256", files},
               {"unused_keys", report.unused_keys}}).dump(2);
}

}  // namespace negativa
