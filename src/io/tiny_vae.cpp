#include "io/tiny_vae.h"

#include <algorithm>

#include "base/json.h"

namespace negativa {

namespace {

constexpr size_t most_levels = 7;

// How the keys of a half begin, and how much later than in diffusers its layers are counted.
struct Naming {
  const char *half, *prefix;
  int shift;
};
constexpr Naming namings[] = {
    {"encoder", "encoder.layers.", 0},  // diffusers
    {"decoder", "decoder.layers.", 0},
    {"encoder", "encoder.", 0},  // the whole of taesd.py
    {"decoder", "decoder.", 1},
    {"encoder", "taesd_encoder.", 0},  // ComfyUI
    {"decoder", "taesd_decoder.", 1},
    {"encoder", "", 0},  // a file of one half
    {"decoder", "", 1},
};

// Its first convolution and the first one of its first block. In the decoder a ReLU lies between them.
bool is_there(const TensorFile& file, const Naming& naming) {
  const int gap = naming.half == std::string_view("decoder") ? 2 : 1;
  return file.find(fmt::format("{}{}.weight", naming.prefix, naming.shift)) &&
         file.find(fmt::format("{}{}.conv.0.weight", naming.prefix, naming.shift + gap));
}

// "3.conv.0.weight" with the number moved by -shift; a key that does not begin with a number stays.
std::string moved(const std::string& key, int shift) {
  const size_t digits = std::min(key.find_first_not_of("0123456789"), size_t{6});
  if (digits == 0 || digits >= key.size() || key[digits] != '.') return key;
  return std::to_string(std::stoi(key.substr(0, digits)) - shift) + key.substr(digits);
}

int64_t size_of(const Weights& weights, const std::string& name, size_t axis) {
  const auto found = weights.find(name);
  check(found != weights.end() && axis < found->second.shape().size(), ErrorKind::file_format,
        "[configuration of a TAESD] the file has no {} of four axes", name);
  return found->second.shape()[axis];
}

struct Levels {
  std::vector<int64_t> blocks, widths;
};

Levels levels_of(const Weights& weights, const std::string& half) {
  const bool is_decoder = half == "decoder";
  const auto layer = [&](int i, const char* rest) { return fmt::format("{}.layers.{}.{}", half, i, rest); };
  Levels levels;
  for (int i = is_decoder ? 2 : 1;; ++i) {  // behind the convolution that begins it
    int64_t blocks = 0;
    for (; weights.contains(layer(i, "conv.0.weight")); ++i) ++blocks;
    levels.blocks.push_back(blocks);
    levels.widths.push_back(size_of(weights, layer(i - 1, blocks > 0 ? "conv.4.weight" : "weight"), 0));
    if (weights.contains(layer(i, "bias"))) return levels;  // the last convolution; those between levels have none
    if (is_decoder) ++i;                                    // upsampling
    check(weights.contains(layer(i, "weight")) && levels.blocks.size() < most_levels, ErrorKind::file_format,
          "[configuration of a TAESD] the {} breaks off at {}", half, layer(i, "weight"));
  }
}

}  // namespace

bool is_tiny_vae(const TensorFile& file) {
  return std::any_of(std::begin(namings), std::end(namings), [&](const Naming& naming) { return is_there(file, naming); });
}

Weights tiny_vae_weights(const std::shared_ptr<const TensorFile>& file) {
  Weights weights;
  std::vector<const Naming*> used;
  for (const auto& naming : namings)
    if (is_there(*file, naming) &&
        std::none_of(used.begin(), used.end(), [&](const Naming* other) { return other->half == std::string_view(naming.half); }))
      used.push_back(&naming);
  for (const auto& entry : file->entries()) {
    std::string name = entry.name;
    for (const auto* naming : used)
      if (name.starts_with(naming->prefix)) {
        name =
            fmt::format("{}.layers.{}", naming->half, moved(name.substr(std::string_view(naming->prefix).size()), naming->shift));
        break;
      }
    check(weights.emplace(name, TensorSource{.file = file, .key = entry.name}).second, ErrorKind::file_format,
          "[{}] holds {} a second time", file->path().string(), name);
  }
  return weights;
}

bool has_half(const Weights& weights, const std::string& half) { return weights.contains(half + ".layers.0.weight"); }

std::string tiny_vae_config_json(const Weights& weights) {
  const Levels none;
  const Levels encoder = has_half(weights, "encoder") ? levels_of(weights, "encoder") : none,
               decoder = levels_of(weights, "decoder");
  const auto last = [&] {  // the decoder's last layer: levels, their blocks, upsamplings and convolutions
    int64_t layers = 2;
    for (const auto blocks : decoder.blocks) layers += blocks + 2;
    return fmt::format("decoder.layers.{}.weight", layers - 2);
  };
  return Json{{"_class_name", "AutoencoderTiny"},
              {"in_channels", has_half(weights, "encoder") ? size_of(weights, "encoder.layers.0.weight", 1) : 3},
              {"out_channels", size_of(weights, last(), 0)},
              {"latent_channels", size_of(weights, "decoder.layers.0.weight", 1)},
              {"encoder_block_out_channels", encoder.widths},
              {"num_encoder_blocks", encoder.blocks},
              {"decoder_block_out_channels", decoder.widths},
              {"num_decoder_blocks", decoder.blocks},
              {"act_fn", "relu"},
              {"upsample_fn", "nearest"},
              {"upsampling_scaling_factor", 2},
              {"scaling_factor", 1.0},
              {"force_upcast", false}}
      .dump();
}

std::optional<std::filesystem::path> find_taesdxl(const std::vector<std::filesystem::path>& folders) {
  std::error_code not_there;
  for (const auto& folder : folders)
    for (const char* below : {"", "vae", "vae_approx", "VAE-approx", "VAE-taesd"})
      for (const char* name : {"taesdxl", "taesdxl.safetensors", "taesdxl_decoder.safetensors", "taesdxl_decoder.pth"})
        if (const auto path = folder / below / name; std::filesystem::exists(path, not_there)) return path;
  return {};
}

std::optional<std::filesystem::path> other_half_beside(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  for (const auto& [half, other] : {std::pair{"decoder", "encoder"}, {"encoder", "decoder"}}) {
    const auto at = name.rfind(half);
    if (at == std::string::npos) continue;
    auto found = file.parent_path() / (name.substr(0, at) + other + name.substr(at + std::string_view(half).size()));
    if (std::filesystem::exists(found)) return found;
  }
  return {};
}

}  // namespace negativa
