#pragma once
// The layers of a model that adapters act on.
#include <map>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "io/keys/unet_layout.h"

namespace negativa {

namespace nn {
struct Walk;
}

struct LoraTarget {
  enum class Kind { linear, convolution, norm };

  std::string name;                           // within its component: "down_blocks.1.attentions.0.proj_in"
  int64_t in_features = 0, out_features = 0;  // channels of a convolution; of a norm both its width
  bool is_read = true;                        // false: what it computes reaches no picture
  Kind kind = Kind::linear;
  int64_t kernel = 1;  // of a convolution: k of k x k
  bool has_bias = true;

  Shape weight_shape() const {
    if (kind == Kind::norm) return {out_features};
    if (kind == Kind::linear) return {out_features, in_features};
    return {out_features, in_features, kernel, kernel};
  }
  // Inputs of one output: what a matrix of the weight is wide.
  int64_t fan_in() const { return in_features * kernel * kernel; }
};

struct LoraTargets {
  std::map<std::string, std::vector<LoraTarget>> components;  // "unet", "text_encoder", "text_encoder_2"
  UNetLayout layout;                                          // of the UNet: numbers SGM's blocks

  // All linear layers, convolutions and norms of one component; for the UNet its layout too. Those whose names begin with one of
  // `unread` are LoraTarget::is_read = false.
  void add(const std::string& component, const nn::Walk& walk, const std::vector<std::string>& unread = {});
};

}  // namespace negativa
