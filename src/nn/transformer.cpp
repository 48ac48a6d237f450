#include "nn/transformer.h"

#include "nn/gradient.h"

namespace negativa::nn {

KeyValue Attention::key_value(const Tensor& context, const Adapters& adapters) const {
  return {to_k.forward(context, adapters), to_v.forward(context, adapters)};
}

Tensor Attention::forward(const Tensor& x, const KeyValue& kv, const Tensor& residual, const Adapters& adapters) const {
  return to_out.forward(attention(to_q.forward(x, adapters), kv.key, kv.value, heads), adapters, residual);
}

Tensor FeedForward::forward(const Tensor& x, const Tensor& residual, const Adapters& adapters) const {
  return out.forward(geglu(proj.forward(x, adapters)), adapters, residual);
}

Tensor BasicTransformerBlock::forward(Tensor x, const KeyValue& context, const Adapters& adapters) const {
  const Tensor normed = norm1.forward(x);
  x = attn1.forward(normed, attn1.key_value(normed, adapters), x, adapters);
  x = attn2.forward(norm2.forward(x), context, x, adapters);
  return ff.forward(norm3.forward(x), x, adapters);
}

Transformer2D::Transformer2D(const Shape& shape)
    : norm(shape.groups, shape.channels, 1e-6), proj_in(shape.channels, shape.channels), proj_out(shape.channels, shape.channels) {
  transformer_blocks.assign(shape.layers, BasicTransformerBlock(shape.channels, shape.context_width, shape.heads));
}

Tensor Transformer2D::forward(const Tensor& x, const KeyValue* context, const Adapters& adapters) const {
  const auto b = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const Tensor normed = norm.forward(x).contiguous(at::MemoryFormat::ChannelsLast);
  Tensor tokens = normed.permute({0, 2, 3, 1}).view({b, h * w, c});  // no copy: channels_last
  tokens = proj_in.forward(tokens, adapters);
  for (const auto& block : transformer_blocks) {
    const auto& [key, value] = *context++;
    tokens = checkpointed({tokens, key, value}, !adapters.gradient_checkpointing,
                          [&block, &adapters](const std::vector<Tensor>& in) { return block.forward(in[0], {in[1], in[2]}, adapters); });
  }
  const Tensor residual = x.contiguous(at::MemoryFormat::ChannelsLast).permute({0, 2, 3, 1}).view({b, h * w, c});
  return proj_out.forward(tokens, adapters, residual).view({b, h, w, c}).permute({0, 3, 1, 2});
}

}  // namespace negativa::nn
