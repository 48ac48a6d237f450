#pragma once
// The leaf layers. A layer's storage dtype (fp32, fp16, bf16) is apart from its compute dtype, which is the input's:
// weights of another dtype are cast for the call. Pictures are [B,C,H,W] in channels_last memory, so tokens are a view of them.
#include "nn/adapters.h"
#include "nn/cpu_kernels.h"
#include "nn/module.h"

namespace negativa::nn {

struct Linear {
  int64_t in_features = 0, out_features = 0;
  bool has_bias = true;
  Tensor weight;        // [out, in]
  Tensor weight_scale;  // [out], with weights in int8 and in scaled fp8 only
  Tensor bias;          // [out]
  Tensor packed;        // weight once more, as cpu::packed_linear reads it; undefined: none
  std::string name;     // full key, the name its adapters go by; set by load()

  Linear() = default;
  Linear(int64_t in, int64_t out, bool bias = true) : in_features(in), out_features(out), has_bias(bias) {}
  // x [..., in] -> [..., out], plus `residual` of that shape if given; the first axis of x is the batch row of the adapters'
  // scales.
  Tensor forward(const Tensor& x, const Adapters& adapters = Adapters::none(), const Tensor& residual = {}) const;
  Tensor plain(const Tensor& x, const Tensor& residual = {}) const;  // without adapters and gradients

  static void visit(auto& self, auto& v) {
    v.param("weight", self.weight, {self.out_features, self.in_features}, &self.weight_scale);
    if (self.has_bias) v.param("bias", self.bias, {self.out_features});
  }
};

struct Conv2d {
  int64_t in_channels = 0, out_channels = 0, kernel = 3, stride = 1, padding = 1;
  Tensor weight;        // [out, in, k, k]
  Tensor weight_scale;  // [out], with weights in int8 and in scaled fp8 only
  Tensor bias;          // [out]
  Tensor packed;        // weight once more, as cpu::packed_conv2d reads it; undefined: none
  std::string name;     // as Linear's

  Conv2d() = default;
  Conv2d(int64_t in, int64_t out, int64_t kernel = 3, int64_t stride = 1, int64_t padding = 1)
      : in_channels(in), out_channels(out), kernel(kernel), stride(stride), padding(padding) {}
  cpu::ConvShape shape() const { return {kernel, stride, padding, out_channels}; }
  // x [B,in,H,W] -> [B,out,H',W'], plus `residual` of that shape if given
  Tensor forward(const Tensor& x, const Adapters& adapters = Adapters::none(), const Tensor& residual = {}) const;
  Tensor plain(const Tensor& x, const Tensor& residual = {}) const;  // without adapters and gradients

  static void visit(auto& self, auto& v) {
    v.param("weight", self.weight, {self.out_channels, self.in_channels, self.kernel, self.kernel}, &self.weight_scale);
    v.param("bias", self.bias, {self.out_channels});
  }
};

struct GroupNorm {
  int64_t groups = 32, channels = 0;
  double eps = 1e-5;
  Tensor weight, bias;  // [channels]
  std::string name;     // as Linear's

  GroupNorm() = default;
  GroupNorm(int64_t groups, int64_t channels, double eps) : groups(groups), channels(channels), eps(eps) {}
  Tensor forward(const Tensor& x, const Adapters& adapters = Adapters::none()) const;       // [B,C,H,W]
  Tensor forward_silu(const Tensor& x, const Adapters& adapters = Adapters::none()) const;  // SiLU of it

  static void visit(auto& self, auto& v) {
    v.param("weight", self.weight, {self.channels});
    v.param("bias", self.bias, {self.channels});
  }
};

struct LayerNorm {
  int64_t width = 0;
  double eps = 1e-5;
  Tensor weight, bias;  // [width]
  std::string name;     // as Linear's

  LayerNorm() = default;
  explicit LayerNorm(int64_t width, double eps = 1e-5) : width(width), eps(eps) {}
  Tensor forward(const Tensor& x, const Adapters& adapters = Adapters::none()) const;  // [..., width]

  static void visit(auto& self, auto& v) {
    v.param("weight", self.weight, {self.width});
    v.param("bias", self.bias, {self.width});
  }
};

struct Embedding {
  int64_t count = 0, width = 0;
  Tensor weight;  // [count, width]

  Embedding() = default;
  Embedding(int64_t count, int64_t width) : count(count), width(width) {}
  Tensor forward(const Tensor& ids, DType compute) const;  // int64 [...] -> [..., width]

  static void visit(auto& self, auto& v) { v.param("weight", self.weight, {self.count, self.width}); }
};

// q, k, v [B, tokens, heads * head_dim] -> [B, tokens of q, heads * head_dim]; scale head_dim^-0.5.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, bool causal = false,
                 const std::optional<Tensor>& mask = {});

// x [..., 2n] -> [..., n]: first half times gelu (exact) of the second.
Tensor geglu(const Tensor& x);

// An activation by its config name: "silu", "gelu" (exact), "quick_gelu" (x sigmoid(1.702 x)). Throws ErrorKind::input.
Tensor activation(const std::string& name, const Tensor& x);
std::vector<std::string> activation_names();

}  // namespace negativa::nn
