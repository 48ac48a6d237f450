#include "io/keys/unet_layout.h"

#include <fmt/format.h>

#include <algorithm>

namespace negativa {

bool has_module(const std::vector<std::string>& sorted_names, const std::string& module) {
  if (std::binary_search(sorted_names.begin(), sorted_names.end(), module)) return true;
  const auto inside = module + ".";
  const auto found = std::lower_bound(sorted_names.begin(), sorted_names.end(), inside);
  return found != sorted_names.end() && found->starts_with(inside);
}

namespace {
std::vector<UNetLayout::Block> blocks_of(const std::vector<std::string>& names, const char* blocks, const char* samplers) {
  std::vector<UNetLayout::Block> result;
  for (int i = 0; has_module(names, fmt::format("{}.{}", blocks, i)); ++i) {
    UNetLayout::Block block;
    for (int j = 0; has_module(names, fmt::format("{}.{}.resnets.{}", blocks, i, j)); ++j)
      block.attention.push_back(has_module(names, fmt::format("{}.{}.attentions.{}", blocks, i, j)));
    block.sampler = has_module(names, fmt::format("{}.{}.{}.0", blocks, i, samplers));
    result.push_back(std::move(block));
  }
  return result;
}
}  // namespace

UNetLayout unet_layout(std::vector<std::string> our_names) {
  std::sort(our_names.begin(), our_names.end());
  return {blocks_of(our_names, "down_blocks", "downsamplers"), blocks_of(our_names, "up_blocks", "upsamplers")};
}

UNetLayout sgm_unet_layout(std::vector<std::string> sgm_names) {
  std::sort(sgm_names.begin(), sgm_names.end());
  const auto has = [&](const char* blocks, int i, const char* child) {
    return has_module(sgm_names, fmt::format("{}.{}{}", blocks, i, child));
  };
  UNetLayout layout;
  UNetLayout::Block block;
  const auto finish = [&block](std::vector<UNetLayout::Block>& blocks, bool sampler) {
    block.sampler = sampler;
    if (!block.attention.empty()) blocks.push_back(std::move(block));
    block = {};
  };
  for (int i = 1; has("input_blocks", i, ""); ++i) {  // input_blocks.0 is conv_in
    if (has("input_blocks", i, ".0.op"))
      finish(layout.down, true);
    else
      block.attention.push_back(has("input_blocks", i, ".1"));
  }
  finish(layout.down, false);
  for (int i = 0; has("output_blocks", i, ""); ++i) {
    block.attention.push_back(has("output_blocks", i, ".1.norm"));
    if (has("output_blocks", i, ".1.conv") || has("output_blocks", i, ".2.conv")) finish(layout.up, true);
  }
  finish(layout.up, false);
  return layout;
}

}  // namespace negativa
