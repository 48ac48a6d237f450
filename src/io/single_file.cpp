#include "io/single_file.h"

#include <algorithm>
#include <functional>

#include "base/json.h"
#include "base/text.h"
#include "io/keys/diffusers_names.h"
#include "io/keys/open_clip.h"
#include "io/keys/sgm_ema.h"
#include "io/keys/sgm_unet.h"
#include "io/keys/sgm_vae.h"
#include "io/model_config.h"
#include "io/prediction_marks.h"
#include "io/safetensors_header.h"
#include "io/scaled_fp8.h"

namespace negativa {

namespace {
constexpr const char* refiner_text_prefix = "conditioner.embedders.0.model.";

struct PartPrefix {
  const char *part, *prefix;
};
constexpr PartPrefix part_prefixes[] = {
    {"unet", "model.diffusion_model."},
    {"unet", sgm_ema_prefix},  // where there is nothing but the averages
    {"vae", "first_stage_model."},
    {"vae", "vae."},
    {"text_encoder", "conditioner.embedders.0.transformer."},
    {"text_encoder", "text_encoders.clip_l.transformer."},  // as ComfyUI saves models of later kinds
    {"text_encoder_2", "conditioner.embedders.1.model."},
    {"text_encoder_2", "text_encoders.clip_g.transformer."},
    {"text_encoder_2", refiner_text_prefix},
};

bool has_prefix(const TensorFile& file, const std::string& prefix) {
  return std::any_of(file.entries().begin(), file.entries().end(),
                     [&](const auto& entry) { return entry.name.starts_with(prefix); });
}

std::optional<std::string> prefix_of(const TensorFile& file, const std::string& part) {
  for (const auto& known : part_prefixes)
    if (part == known.part && has_prefix(file, known.prefix)) return known.prefix;
  return {};
}

// A tensor of a part: its name there, and its key in the file.
struct NamedKey {
  std::string name, key;
};

std::vector<NamedKey> keys_under(const TensorFile& file, const std::string& prefix) {
  std::vector<NamedKey> keys;
  for (const auto& entry : file.entries()) {
    if (!entry.name.starts_with(prefix)) continue;
    const std::string name = entry.name.substr(prefix.size());
    if (prefix != sgm_ema_prefix)
      keys.push_back({name, entry.name});
    else if (const auto of_weight = sgm_name_of_ema(name))
      keys.push_back({*of_weight, entry.name});
  }
  std::sort(keys.begin(), keys.end(), [](const NamedKey& a, const NamedKey& b) { return a.name < b.name; });
  return keys;
}

std::vector<std::string> names_of(const std::vector<NamedKey>& keys) {
  std::vector<std::string> names;
  for (const auto& key : keys) names.push_back(key.name);
  return names;
}

// Training state that VAE files carry along.
bool is_vae_training_state(const std::string& name) { return name.starts_with("loss.") || name.starts_with("model_ema."); }

TensorSource source_of(const std::shared_ptr<const TensorFile>& file, const std::string& key, const KeyPair& pair) {
  TensorSource source{.file = file, .key = key, .transpose = pair.transpose, .squeeze = pair.squeeze};
  if (pair.third < 0) return source;
  const auto& shape = file->find(key)->shape;
  check(!shape.empty() && shape[0] % 3 == 0, ErrorKind::shape, "[{}: {}] has shape {}, expected three equal parts q, k, v",
        file->path().string(), key, to_string(shape));
  source.row_begin = pair.third * shape[0] / 3;
  source.row_end = (pair.third + 1) * shape[0] / 3;
  return source;
}

// How the names of a part, after its prefix, are brought to ours; an empty answer for a name that no name of ours answers to.
using Translation = std::function<std::vector<KeyPair>(const std::string&)>;

Translation diffusers_translation(const std::string& part) {
  return [part](const std::string& name) {
    const auto pair = from_diffusers_name(part, name);
    return pair ? std::vector<KeyPair>{*pair} : std::vector<KeyPair>{};
  };
}

Translation translation(const std::string& part, const std::vector<std::string>& names) {
  const auto by_pairs = [](const KeyPairs& pairs) {
    return [map = KeyMap(pairs, KeyMap::to_ours)](const std::string& name) { return map.find(name); };
  };
  if (part == "unet" && !has_module(names, "down_blocks")) return by_pairs(sgm_unet_pairs(sgm_unet_layout(names)));
  if (part == "text_encoder_2" && !has_module(names, "text_model")) {
    // Under a linear layer's name the projection lies as transformers keeps it, whoever named the rest.
    return [translate = by_pairs(open_clip_pairs(open_clip_layers(names)))](const std::string& name) {
      const std::string linear = "text_projection.weight";
      return name == linear ? std::vector<KeyPair>{{linear, linear}} : translate(name);
    };
  }
  if (part == "vae" && !has_module(names, "decoder.up_blocks")) return by_pairs(sgm_vae_pairs(sgm_vae_layout(names)));
  return diffusers_translation(part);
}

bool is_left_out(const std::string& part, const std::string& name) {
  if (part == "vae") return is_vae_training_state(name);
  if (part == "unet") return false;
  return name == "logit_scale" || !from_diffusers_name(part, name);
}

Weights weights_under(const std::shared_ptr<const TensorFile>& file, const std::string& part, const std::string& prefix) {
  const auto keys = keys_under(*file, prefix);
  const auto translate = translation(part, names_of(keys));
  const Fp8Scales scales(*file);
  Weights weights;
  std::vector<std::string> unknown;
  for (const auto& [name, key] : keys) {
    if (is_left_out(part, name) || scales.takes(key)) continue;
    const auto pairs = translate(name);
    if (pairs.empty()) unknown.push_back(printable_name(key));
    for (const auto& pair : pairs) {
      const auto [added, is_new] = weights.emplace(pair.ours, source_of(file, key, pair));
      check(is_new, ErrorKind::file_format, "[{}] holds {} a second time, as {}", file->path().string(), pair.ours,
            printable_name(key));
      added->second.scale_key = scales.of(key);
    }
  }
  for (const auto& name : unknown)
    check(sign_of_quantising(name).empty(), ErrorKind::file_format,
          "[{}] has a {} {} ({}), which is not read; give one in fp32, fp16, bf16 or plain fp8", file->path().string(), part,
          sign_of_quantising(name), name);
  const std::vector<std::string> shown(unknown.begin(), unknown.begin() + std::min<size_t>(unknown.size(), 5));
  check(unknown.empty(), ErrorKind::file_format, "[{}] {} tensors of the {} have names that SDXL lacks: {}{}",
        file->path().string(), unknown.size(), part, joined(shown, ", "), unknown.size() > shown.size() ? " …" : "");
  return weights;
}

struct Guess {
  std::vector<const char*> signs;  // one of these inside a key
  const char* text;
};
const Guess guesses[] = {
    {{".lora_down.", ".lora.down.", ".lora_A.", ".lora_linear_layer.", "_lora.down."}, "a LoRA; give it with --lora"},
    {{"control_model.", "input_hint_block.", "controlnet_cond_embedding.", "controlnet_down_blocks."}, "a ControlNet"},
    {{"double_blocks.", "single_transformer_blocks."}, "a Flux model"},
    {{"joint_blocks."}, "a Stable Diffusion 3 model"},
    {{"ip_adapter.", "image_proj."}, "an IP-Adapter"},
    {{"cond_stage_model.model."}, "a Stable Diffusion 2 model"},
    {{"cond_stage_model.transformer.", "model.diffusion_model."}, "a Stable Diffusion 1 model"},
    {{"clip_g", "clip_l", "emb_params"}, "a textual-inversion embedding; give it with --embedding"},
    {{"down_blocks.0.resnets.0.time_emb_proj.", "input_blocks.1.0.in_layers."},
     "a UNet alone; give it with --unet, over a whole model"},
    {{"decoder.conv_in."}, "a VAE; give it with --vae"},
    {{"text_model.", "resblocks."}, "a text encoder alone"},
};

std::string guess(const TensorFile& file) {
  if (file.entries().empty()) return "an empty file";
  for (const auto& candidate : guesses)
    for (const char* sign : candidate.signs)
      for (const auto& entry : file.entries())
        if (entry.name.find(sign) != std::string::npos) return candidate.text;
  return fmt::format("something unknown (its first tensor is \"{}\")", printable_name(file.entries()[0].name));
}
}  // namespace

bool holds_sdxl(const TensorFile& file) {
  return file.find("model.diffusion_model.label_emb.0.0.weight") || file.find("model_ema.diffusion_modellabel_emb00weight");
}

void check_is_sdxl(const TensorFile& file) {
  check(holds_sdxl(file), ErrorKind::input, "[{}] is not an SDXL base or refiner model in one file: it looks like {}",
        file.path().string(), guess(file));
}

bool is_sgm_refiner(const TensorFile& file) { return has_prefix(file, refiner_text_prefix); }

bool single_file_has(const TensorFile& file, const std::string& part) { return prefix_of(file, part).has_value(); }

Weights single_file_weights(const std::shared_ptr<const TensorFile>& file, const std::string& part) {
  const auto prefix = prefix_of(*file, part);
  check(prefix.has_value(), ErrorKind::missing_key, "[{}] holds no {}", file->path().string(), part);
  return weights_under(file, part, *prefix);
}

std::optional<std::string> metadata_config_json(const TensorFile& file, const std::string& part) {
  const auto text = file.metadata().find("negativa.config");
  if (text == file.metadata().end()) return {};
  const auto configs = parse_json(text->second, file.path().string() + ": negativa.config");
  const auto found = configs.is_object() ? configs.find(part) : configs.end();
  if (found == configs.end()) return {};
  return found->is_string() ? found->get<std::string>() : found->dump();  // text: sgm_file.h
}

std::string single_file_config_json(const std::shared_ptr<const TensorFile>& file, const std::string& part) {
  if (auto given = metadata_config_json(*file, part)) return *given;
  if (part == "model_index") return model_index_json(is_sgm_refiner(*file));
  const auto marks = read_prediction_marks(*file);
  if (part == "scheduler") return scheduler_config_json(marks);
  const auto weights = single_file_weights(file, part);
  if (part == "unet") return unet_config_json(weights);
  if (part == "vae") return vae_config_json(weights, marks);
  return text_config_json(part, weights);
}

std::vector<std::string> single_file_unused_keys(const TensorFile& file) {
  const Fp8Scales scales(file);
  std::vector<std::string> used_prefixes, unused;
  for (const char* part : {"unet", "vae", "text_encoder", "text_encoder_2"})
    if (const auto prefix = prefix_of(file, part)) used_prefixes.push_back(*prefix);
  for (const auto& entry : file.entries()) {
    const auto prefix = std::find_if(used_prefixes.begin(), used_prefixes.end(),
                                     [&](const std::string& used) { return entry.name.starts_with(used); });
    const bool is_used = prefix != used_prefixes.end() && !is_vae_training_state(entry.name.substr(prefix->size()));
    if (!is_used && !is_prediction_mark(entry.name) && !scales.takes(entry.name)) unused.push_back(entry.name);
  }
  return unused;
}

Weights unet_weights(const std::shared_ptr<const TensorFile>& file) {
  for (const std::string prefix : {"model.diffusion_model.", "diffusion_model.", "unet.", ""})
    for (const char* last : {"out.2.weight", "conv_out.weight"})
      if (file->find(prefix + last)) return weights_under(file, "unet", prefix);
  fail(ErrorKind::input, "[{}] holds no UNet of SDXL: it looks like {}", file->path().string(), guess(*file));
}

Weights vae_weights(const std::shared_ptr<const TensorFile>& file) {
  for (const std::string prefix : {"first_stage_model.", "vae.", ""})
    if (file->find(prefix + "decoder.conv_in.weight")) return weights_under(file, "vae", prefix);
  fail(ErrorKind::input, "[{}] holds no VAE of Stable Diffusion: it looks like {}", file->path().string(), guess(*file));
}

}  // namespace negativa
