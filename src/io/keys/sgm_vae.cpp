#include "io/keys/sgm_vae.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/keys/unet_layout.h"

namespace negativa {

namespace {
// Resnets of each level of one half; `level` is e.g. "encoder.down_blocks.{}", `resnet` what follows it.
std::vector<int> count_resnets(const std::vector<std::string>& names, const std::string& levels, const std::string& resnets) {
  std::vector<int> counts;
  for (int i = 0; has_module(names, fmt::format("{}.{}", levels, i)); ++i) {
    int count = 0;
    while (has_module(names, fmt::format("{}.{}.{}.{}", levels, i, resnets, count))) ++count;
    counts.push_back(count);
  }
  return counts;
}

void add_resnet(KeyPairs& pairs, const std::string& ours, const std::string& theirs) {
  for (const char* same : {"norm1", "conv1", "norm2", "conv2"}) pairs.push_back({ours + "." + same, theirs + "." + same});
  pairs.push_back({ours + ".conv_shortcut", theirs + ".nin_shortcut"});
}

void add_half(KeyPairs& pairs, const std::string& half) {
  pairs.push_back({half + ".conv_in", half + ".conv_in"});
  pairs.push_back({half + ".conv_norm_out", half + ".norm_out"});
  pairs.push_back({half + ".conv_out", half + ".conv_out"});
  add_resnet(pairs, half + ".mid_block.resnets.0", half + ".mid.block_1");
  add_resnet(pairs, half + ".mid_block.resnets.1", half + ".mid.block_2");
  static constexpr const char* attention[][2] = {
      {"group_norm", "norm"}, {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"}, {"to_out.0", "proj_out"}};
  for (const auto& [ours, theirs] : attention)
    pairs.push_back(
        {.ours = half + ".mid_block.attentions.0." + ours, .theirs = half + ".mid.attn_1." + theirs, .squeeze = true});
}
}  // namespace

VaeLayout vae_layout(std::vector<std::string> our_names) {
  std::sort(our_names.begin(), our_names.end());
  return {count_resnets(our_names, "encoder.down_blocks", "resnets"), count_resnets(our_names, "decoder.up_blocks", "resnets")};
}

VaeLayout sgm_vae_layout(std::vector<std::string> sgm_names) {
  std::sort(sgm_names.begin(), sgm_names.end());
  auto decoder = count_resnets(sgm_names, "decoder.up", "block");
  std::reverse(decoder.begin(), decoder.end());
  return {count_resnets(sgm_names, "encoder.down", "block"), decoder};
}

KeyPairs sgm_vae_pairs(const VaeLayout& layout) {
  KeyPairs pairs = {{"quant_conv", "quant_conv"}, {"post_quant_conv", "post_quant_conv"}};
  add_half(pairs, "encoder");
  add_half(pairs, "decoder");
  for (size_t i = 0; i < layout.encoder_resnets.size(); ++i) {
    const auto ours = fmt::format("encoder.down_blocks.{}", i), theirs = fmt::format("encoder.down.{}", i);
    for (int j = 0; j < layout.encoder_resnets[i]; ++j)
      add_resnet(pairs, fmt::format("{}.resnets.{}", ours, j), fmt::format("{}.block.{}", theirs, j));
    pairs.push_back({ours + ".downsamplers.0.conv", theirs + ".downsample.conv"});
  }
  const auto levels = layout.decoder_resnets.size();
  for (size_t i = 0; i < levels; ++i) {
    const auto ours = fmt::format("decoder.up_blocks.{}", i), theirs = fmt::format("decoder.up.{}", levels - 1 - i);
    for (int j = 0; j < layout.decoder_resnets[i]; ++j)
      add_resnet(pairs, fmt::format("{}.resnets.{}", ours, j), fmt::format("{}.block.{}", theirs, j));
    pairs.push_back({ours + ".upsamplers.0.conv", theirs + ".upsample.conv"});
  }
  return pairs;
}

}  // namespace negativa
