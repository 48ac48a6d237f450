#include "io/keys/sgm_unet.h"

#include <fmt/format.h>

namespace negativa {

namespace {
void add_resnet(KeyPairs& pairs, const std::string& ours, const std::string& theirs) {
  static constexpr const char* inside[][2] = {{"norm1", "in_layers.0"},          {"conv1", "in_layers.2"},
                                              {"time_emb_proj", "emb_layers.1"}, {"norm2", "out_layers.0"},
                                              {"conv2", "out_layers.3"},         {"conv_shortcut", "skip_connection"}};
  for (const auto& [our_child, their_child] : inside) pairs.push_back({ours + "." + our_child, theirs + "." + their_child});
}

void add_down_blocks(KeyPairs& pairs, const UNetLayout& layout) {
  int n = 1;  // input_blocks.0 is conv_in
  for (size_t i = 0; i < layout.down.size(); ++i) {
    const auto& block = layout.down[i];
    for (size_t j = 0; j < block.attention.size(); ++j, ++n) {
      add_resnet(pairs, fmt::format("down_blocks.{}.resnets.{}", i, j), fmt::format("input_blocks.{}.0", n));
      if (block.attention[j])
        pairs.push_back({fmt::format("down_blocks.{}.attentions.{}", i, j), fmt::format("input_blocks.{}.1", n)});
    }
    if (block.sampler)
      pairs.push_back({fmt::format("down_blocks.{}.downsamplers.0.conv", i), fmt::format("input_blocks.{}.0.op", n++)});
  }
}

void add_up_blocks(KeyPairs& pairs, const UNetLayout& layout) {
  int n = 0;
  for (size_t i = 0; i < layout.up.size(); ++i) {
    const auto& block = layout.up[i];
    for (size_t j = 0; j < block.attention.size(); ++j, ++n) {
      add_resnet(pairs, fmt::format("up_blocks.{}.resnets.{}", i, j), fmt::format("output_blocks.{}.0", n));
      if (block.attention[j])
        pairs.push_back({fmt::format("up_blocks.{}.attentions.{}", i, j), fmt::format("output_blocks.{}.1", n)});
    }
    if (block.sampler && n > 0)  // the upsampler follows the last resnet and its attention in the same list
      pairs.push_back({fmt::format("up_blocks.{}.upsamplers.0.conv", i),
                       fmt::format("output_blocks.{}.{}.conv", n - 1, block.attention.back() ? 2 : 1)});
  }
}
}  // namespace

KeyPairs sgm_unet_pairs(const UNetLayout& layout) {
  KeyPairs pairs = {
      {"conv_in", "input_blocks.0.0"},
      {"time_embedding.linear_1", "time_embed.0"},
      {"time_embedding.linear_2", "time_embed.2"},
      {"add_embedding.linear_1", "label_emb.0.0"},
      {"add_embedding.linear_2", "label_emb.0.2"},
      {"mid_block.attentions.0", "middle_block.1"},
      {"conv_norm_out", "out.0"},
      {"conv_out", "out.2"},
  };
  add_resnet(pairs, "mid_block.resnets.0", "middle_block.0");
  add_resnet(pairs, "mid_block.resnets.1", "middle_block.2");
  add_down_blocks(pairs, layout);
  add_up_blocks(pairs, layout);
  return pairs;
}

}  // namespace negativa
