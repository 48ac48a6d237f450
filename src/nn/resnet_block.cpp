#include "nn/resnet_block.h"

namespace negativa::nn {

ResnetBlock::ResnetBlock(const Shape& shape)
    : norm1(shape.groups, shape.in_channels, shape.eps),
      conv1(shape.in_channels, shape.out_channels),
      norm2(shape.groups, shape.out_channels, shape.eps),
      conv2(shape.out_channels, shape.out_channels) {
  if (shape.time_embed_dim > 0) time_emb_proj.emplace(shape.time_embed_dim, shape.out_channels);
  if (shape.in_channels != shape.out_channels) conv_shortcut.emplace(shape.in_channels, shape.out_channels, 1, 1, 0);
}

Tensor ResnetBlock::forward(const Tensor& x, const Tensor& temb_silu, const Adapters& adapters) const {
  Tensor h = conv1.forward(norm1.forward_silu(x, adapters), adapters);
  if (time_emb_proj) h = h + time_emb_proj->forward(temb_silu, adapters).unsqueeze(-1).unsqueeze(-1);
  return conv2.forward(norm2.forward_silu(h, adapters), adapters, conv_shortcut ? conv_shortcut->forward(x, adapters) : x);
}

Tensor Upsample::forward(const Tensor& x, int64_t height, int64_t width, const Adapters& adapters) const {
  return conv.forward(at::upsample_nearest2d(x, at::IntArrayRef({height, width})), adapters);
}

}  // namespace negativa::nn
