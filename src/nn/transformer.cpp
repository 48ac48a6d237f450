#include "nn/transformer.h"

#include "nn/layer_gradients.h"

namespace negativa::nn {

KeyValue Attention::key_value(const Tensor& context, const Adapters& adapters) const {
  return {to_k.forward(context, adapters), to_v.forward(context, adapters)};
}

Tensor Attention::forward(const Tensor& x, const LayerNorm& norm, const Adapters& adapters) const {
  const auto attend = [this, &norm, &adapters](const std::vector<Tensor>& in) {
    const Tensor normed = norm.forward(in[0], adapters);
    const auto [key, value] = key_value(normed, adapters);
    return attention(to_q.forward(normed, adapters), key, value, heads);
  };
  return checkpointed_linear(to_out, {x}, attend, adapters, x);
}

Tensor Attention::forward(const Tensor& x, const LayerNorm& norm, const KeyValue& kv, const Adapters& adapters) const {
  const auto attend = [this, &norm, &adapters](const std::vector<Tensor>& in) {
    return attention(to_q.forward(norm.forward(in[0], adapters), adapters), in[1], in[2], heads);
  };
  return checkpointed_linear(to_out, {x, kv.key, kv.value}, attend, adapters, x);
}

Tensor FeedForward::forward(const Tensor& x, const LayerNorm& norm, const Adapters& adapters) const {
  const auto hidden = [this, &norm, &adapters](const std::vector<Tensor>& in) {
    return geglu(proj.forward(norm.forward(in[0], adapters), adapters));
  };
  return checkpointed_linear(out, {x}, hidden, adapters, x);
}

Tensor BasicTransformerBlock::forward(Tensor x, const KeyValue& context, const Adapters& adapters) const {
  x = attn1.forward(x, norm1, adapters);
  x = attn2.forward(x, norm2, context, adapters);
  return ff.forward(x, norm3, adapters);
}

Transformer2D::Transformer2D(const Shape& shape)
    : norm(shape.groups, shape.channels, 1e-6),
      proj_in(shape.channels, shape.channels),
      proj_out(shape.channels, shape.channels) {
  transformer_blocks.assign(shape.layers, BasicTransformerBlock(shape.channels, shape.context_width, shape.heads));
}

Tensor Transformer2D::forward(const Tensor& x, const KeyValue* context, const Adapters& adapters) const {
  const auto b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const Tensor normed = norm.forward(x, adapters).contiguous(at::MemoryFormat::ChannelsLast);
  Tensor tokens = normed.permute({0, 2, 3, 1}).view({b, h * w, c});  // no copy: channels_last
  tokens = proj_in.forward(tokens, adapters);
  for (const auto& block : transformer_blocks) tokens = block.forward(tokens, *context++, adapters);
  const Tensor residual = x.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}).view({b, h * w, c});
  return proj_out.forward(tokens, adapters, residual).view({b, h, w, c}).permute({0, 3, 1, 2});
}

}  // namespace negativa::nn
