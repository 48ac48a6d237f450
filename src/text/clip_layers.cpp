#include "text/clip_layers.h"

namespace negativa {

CLIPEncoderLayer::CLIPEncoderLayer(int64_t width, int64_t intermediate, double layer_norm_eps)
    : layer_norm1(width, layer_norm_eps),
      layer_norm2(width, layer_norm_eps),
      self_attn{{width, width}, {width, width}, {width, width}, {width, width}},
      mlp{{width, intermediate}, {intermediate, width}} {}

Tensor CLIPEncoderLayer::forward(const Tensor& input, const CLIPLayerForward& how) const {
  Tensor h = layer_norm1.forward(input, how.adapters);
  h = nn::attention(self_attn.q_proj.forward(h, how.adapters), self_attn.k_proj.forward(h, how.adapters),
                    self_attn.v_proj.forward(h, how.adapters), how.heads, how.causal,
                    how.mask.defined() ? std::optional(how.mask) : std::nullopt);
  const Tensor x = input + self_attn.out_proj.forward(h, how.adapters);
  h = nn::activation(how.hidden_act, mlp.fc1.forward(layer_norm2.forward(x, how.adapters), how.adapters));
  return x + mlp.fc2.forward(h, how.adapters);
}

}  // namespace negativa
