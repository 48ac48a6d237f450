#pragma once
// The transformer layers of CLIP (Radford et al. 2021, arXiv:2103.00020), the same in its text and its image tower: pre-norm,
// with biases. Member names are the keys of transformers' CLIPEncoder.
#include "nn/layers.h"

namespace negativa {

struct CLIPAttention {
  nn::Linear q_proj, k_proj, v_proj, out_proj;

  static void visit(auto& self, auto& v) {
    v("q_proj", self.q_proj);
    v("k_proj", self.k_proj);
    v("v_proj", self.v_proj);
    v("out_proj", self.out_proj);
  }
};

struct CLIPMLP {
  nn::Linear fc1, fc2;

  static void visit(auto& self, auto& v) {
    v("fc1", self.fc1);
    v("fc2", self.fc2);
  }
};

// What all layers of an encoder share.
struct CLIPLayerForward {
  int64_t heads = 1;
  const std::string& hidden_act;
  bool causal = false;
  Tensor mask = {};  // additive [B,1,T,T], instead of causal; undefined: none
  const nn::Adapters& adapters = nn::Adapters::none();
};

struct CLIPEncoderLayer {
  nn::LayerNorm layer_norm1, layer_norm2;
  CLIPAttention self_attn;
  CLIPMLP mlp;

  CLIPEncoderLayer() = default;
  CLIPEncoderLayer(int64_t width, int64_t intermediate, double layer_norm_eps);
  // x [B,T,width] -> the same
  Tensor forward(const Tensor& x, const CLIPLayerForward& how) const;

  static void visit(auto& self, auto& v) {
    v("self_attn", self.self_attn);
    v("layer_norm1", self.layer_norm1);
    v("mlp", self.mlp);
    v("layer_norm2", self.layer_norm2);
  }
};

struct CLIPEncoder {
  std::vector<CLIPEncoderLayer> layers;

  static void visit(auto& self, auto& v) { v("layers", self.layers); }
};

}  // namespace negativa
