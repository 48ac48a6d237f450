#include "io/keys/sgm_ema.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

namespace negativa {

namespace {

constexpr int most_blocks = 16, most_layers_in_block = 3, most_transformers = 16;

std::vector<std::string> modules_of_resnet() {
  return {"in_layers.0", "in_layers.2", "emb_layers.1", "out_layers.0", "out_layers.3", "skip_connection", "op", "conv"};
}

std::vector<std::string> modules_of_transformer() {
  std::vector<std::string> modules = {"norm", "proj_in", "proj_out"};
  for (int d = 0; d < most_transformers; ++d) {
    const auto add = [&](const std::string& inside) { modules.push_back(fmt::format("transformer_blocks.{}.{}", d, inside)); };
    for (const char* inside : {"norm1", "norm2", "norm3", "ff.net.0.proj", "ff.net.2"}) add(inside);
    for (const char* attention : {"attn1", "attn2"})
      for (const char* inside : {"to_q", "to_k", "to_v", "to_out.0"}) add(fmt::format("{}.{}", attention, inside));
  }
  return modules;
}

std::vector<std::string> modules_of_unet() {
  std::vector<std::string> modules = {"input_blocks.0.0", "time_embed.0", "time_embed.2", "label_emb.0.0",
                                      "label_emb.0.2",    "out.0",        "out.2"};
  std::vector<std::string> inside = modules_of_resnet();
  const auto transformer = modules_of_transformer();
  inside.insert(inside.end(), transformer.begin(), transformer.end());
  for (int layer = 0; layer < most_layers_in_block; ++layer) {
    for (const auto& module : inside) modules.push_back(fmt::format("middle_block.{}.{}", layer, module));
    for (const char* way : {"input_blocks", "output_blocks"})
      for (int block = 0; block < most_blocks; ++block)
        for (const auto& module : inside) modules.push_back(fmt::format("{}.{}.{}.{}", way, block, layer, module));
  }
  return modules;
}

std::unordered_map<std::string, std::string> names_by_ema() {
  std::unordered_map<std::string, std::string> names;
  for (const auto& module : modules_of_unet())
    for (const char* kind : {"weight", "bias"}) {
      const std::string name = fmt::format("{}.{}", module, kind);
      std::string without_dots = name;
      std::erase(without_dots, '.');
      names.emplace("diffusion_model" + without_dots, name);
    }
  return names;
}

}  // namespace

std::optional<std::string> sgm_name_of_ema(const std::string& name) {
  static const auto names = names_by_ema();
  const auto found = names.find(name);
  return found == names.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace negativa
