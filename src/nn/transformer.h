#pragma once
// The transformer of the UNet: self attention, cross attention to the prompt, GEGLU feed-forward.
#include "nn/layers.h"

namespace negativa::nn {

// Key and value of the prompt for one cross-attention layer: the same at every denoising step, so computed once a picture.
struct KeyValue {
  Tensor key, value;  // [B, 77n, width] each
};

struct Attention {
  Linear to_q, to_k, to_v, to_out;
  int64_t heads = 1;

  Attention() = default;
  Attention(int64_t width, int64_t context_width, int64_t heads)
      : to_q(width, width, false),
        to_k(context_width, width, false),
        to_v(context_width, width, false),
        to_out(width, width),
        heads(heads) {}
  KeyValue key_value(const Tensor& context, const Adapters& adapters) const;
  // x [B,tokens,width] -> x + attention of norm(x) to itself, or to the prompt
  Tensor forward(const Tensor& x, const LayerNorm& norm, const Adapters& adapters) const;
  Tensor forward(const Tensor& x, const LayerNorm& norm, const KeyValue& kv, const Adapters& adapters) const;

  static void visit(auto& self, auto& v) {
    v("to_q", self.to_q);
    v("to_k", self.to_k);
    v("to_v", self.to_v);
    v("to_out.0", self.to_out);
  }
};

// GEGLU: Shazeer 2020, arXiv:2002.05202. proj gives (hidden, gate); out(hidden * gelu(gate)).
struct FeedForward {
  Linear proj, out;

  FeedForward() = default;
  explicit FeedForward(int64_t width) : proj(width, 8 * width), out(4 * width, width) {}
  Tensor forward(const Tensor& x, const LayerNorm& norm, const Adapters& adapters) const;  // x + feed-forward of norm(x)

  static void visit(auto& self, auto& v) {
    v("net.0.proj", self.proj);
    v("net.2", self.out);
  }
};

struct BasicTransformerBlock {
  LayerNorm norm1;
  Attention attn1;
  LayerNorm norm2;
  Attention attn2;
  LayerNorm norm3;
  FeedForward ff;

  BasicTransformerBlock() = default;
  BasicTransformerBlock(int64_t width, int64_t context_width, int64_t heads)
      : norm1(width), attn1(width, width, heads), norm2(width), attn2(width, context_width, heads), norm3(width), ff(width) {}
  Tensor forward(Tensor x, const KeyValue& context, const Adapters& adapters) const;

  static void visit(auto& self, auto& v) {
    v("norm1", self.norm1);
    v("attn1", self.attn1);
    v("norm2", self.norm2);
    v("attn2", self.attn2);
    v("norm3", self.norm3);
    v("ff", self.ff);
  }
};

// GroupNorm, linear projection in, blocks, linear projection out, residual; a picture is read as H*W tokens.
struct Transformer2D {
  GroupNorm norm;
  Linear proj_in;
  std::vector<BasicTransformerBlock> transformer_blocks;
  Linear proj_out;

  struct Shape {
    int64_t channels, heads, layers, context_width, groups;
  };
  Transformer2D() = default;
  explicit Transformer2D(const Shape& shape);
  // x [B,C,H,W]; context: one entry a block
  Tensor forward(const Tensor& x, const KeyValue* context, const Adapters& adapters) const;

  static void visit(auto& self, auto& v) {
    v("norm", self.norm);
    v("proj_in", self.proj_in);
    v("transformer_blocks", self.transformer_blocks);
    v("proj_out", self.proj_out);
  }
};

}  // namespace negativa::nn
