#pragma once
// What foreign UNet names need to know of a UNet, read off its names, so that no block count is written down anywhere.
#include <string>
#include <vector>

namespace negativa {

struct UNetLayout {
  struct Block {
    std::vector<bool> attention;  // one entry a resnet: does an attention follow it?
    bool sampler = false;         // ends in a downsampler or upsampler
  };
  std::vector<Block> down, up;
};

// From all keys (or modules with samplers) under our names: "down_blocks.1.attentions.0.proj_in.weight" … in any order.
UNetLayout unet_layout(std::vector<std::string> our_names);
// From all keys under SGM names without the "model.diffusion_model." prefix: "input_blocks.4.1.proj_in.weight" …
UNetLayout sgm_unet_layout(std::vector<std::string> sgm_names);

// True if one of the sorted names is `module` itself or lies inside it ("a.b" holds "a.b.weight", not "a.bc").
bool has_module(const std::vector<std::string>& sorted_names, const std::string& module);

}  // namespace negativa
