#pragma once
// The layers of a UNet in the order of its forward pass, each with the channels and the size of the maps it works on: what
// building, the count of work and the plans of memory go by. Thread-safe: pure functions.
#include "unet/config.h"

namespace negativa {

struct UNetLayer {
  enum class Kind { conv_in, resnet, transformer, downsample, upsample, conv_out };
  enum class Way { down, mid, up };

  Kind kind;
  Way way;
  size_t block;         // index into UNetConfig::blocks
  size_t level;         // of its result: the maps have side_at(side of the latents, level) positions a side
  int64_t in_channels;  // those of the skip included
  int64_t out_channels;
  int64_t skip_channels = 0;  // on the way up: how many of in_channels come from the way down
  bool is_skip = false;       // on the way down: its result is read again on the way up
  int64_t depth = 0;          // of a transformer: its blocks
};

// A transformer is one layer here, whatever its depth; so is conv_out with its norm.
std::vector<UNetLayer> layers_of(const UNetConfig& config);

// A convolution of stride 2 with padding 1 makes (n + 1) / 2 positions of n; on the way up the size of the skip comes back.
int64_t side_at(int64_t latent_side, size_t level);

}  // namespace negativa
