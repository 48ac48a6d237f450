#pragma once
// The innermost loops of the CPU's kernels, compiled once for each instruction set from the sources beside this header. Their
// data is plain memory: nothing here depends on libtorch, and those sources include no code that other files share, since the
// linker keeps one copy of a shared inline function, which may be the one with AVX-512.
#include <cstdint>

namespace negativa {
enum class Isa;
}

namespace negativa::nn::cpu {

// Columns of weights lie in panels of this many, one after another, so that each is read as one stream; the last panel ends in
// zeros. The same under every instruction set, as channels_a_step.
constexpr int64_t panel_width = 16;

// out[r,:] = start[r] + bias + the sum over p < parts, i < depth of sources[p][r][i] * weights[p * depth + i,:], for each of some
// rows. A matrix has one part. A convolution has one a position of its kernel, and its source there is the pixel under it, so no
// patch is copied (indirect convolution: Dukhan 2019, arXiv:1907.02129).
struct Product {
  int64_t rows, parts, depth, width;
  const float* const* sources;  // [parts, rows] pointers to depth elements
  const float* weights;         // [panels, parts * depth, panel_width]
  const float* bias;            // [width]
  const float* const* start;    // [rows] pointers to width elements
  float* out;                   // [rows, width]
  // 0: packed weights. Else they are a matrix [parts * depth, width] with that many floats from one row to the next, and width is
  // a multiple of panel_width: for few rows, which packing would cost as much as.
  int64_t row_stride = 0;
};

constexpr int64_t widest_head = 32;
constexpr int64_t queries_a_step = 16;  // at most, of attend

// One head of an attention: pointers to its first element of the first token.
struct Head {
  const float *q, *k, *v;
  float* out;
  int64_t stride;              // floats from one token to the next
  int64_t queries, keys, dim;  // dim <= widest_head
};

constexpr int64_t channels_a_step = 16;  // of the Winograd transforms, whose channels are a multiple of it

struct Kernels {
  // Sums over rows of x - shift and of its square, per channel.
  void (*channel_sums)(const float* x, const float* shift, int64_t rows, int64_t channels, float* sum, float* square);
  // y = x * scale + shift per channel, and SiLU of it.
  void (*scale_rows)(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y);
  void (*scale_rows_silu)(const float* x, const float* scale, const float* shift, int64_t rows, int64_t channels, float* y);
  // y[i] = x[i] gelu(x[n + i]), i < n.
  void (*geglu_row)(const float* x, int64_t n, float* y);
  // Each row less its mean, over its standard deviation, times weight, plus bias.
  void (*normalise_rows)(const float* x, const float* weight, const float* bias, int64_t rows, int64_t width, float eps,
                         float* y);
  // y[i] = scale x[i], i < n.
  void (*scale_int8)(const int8_t* x, float scale, int64_t n, float* y);
  // Softmax attention. scratch: queries_a_step floats a key.
  void (*attend)(const Head& head, float* scratch);
  // G g G^T of the kernels of panel_width output channels, each [9, channels], `to_next` floats apart. target + i * stride:
  // position i, [channels, panel_width].
  void (*transform_weights)(const float* weight, int64_t to_next, int64_t channels, float* target, int64_t stride);
  // B^T d B of one tile for each channel. pixels: the 16 of d; target + i * stride: position i.
  void (*transform_input)(const float* const* pixels, int64_t channels, float* target, int64_t stride);
  // A^T m A + bias + residual of one tile for each channel. source + i * stride: position i; residual, out: the four pixels.
  void (*transform_output)(const float* source, int64_t stride, const float* bias, const float* const* residual, int64_t channels,
                           float* const* out);
  // A row's result depends on nothing but that row: not on how many there are, nor on their order.
  void (*multiply)(const Product& product);
};

extern const Kernels baseline_kernels;
#ifdef NEGATIVA_X86_KERNELS
extern const Kernels avx2_kernels, avx512_kernels;
#endif

// Those of active_isa(), and of any that this machine has.
const Kernels& kernels();
const Kernels& kernels_of(Isa isa);

}  // namespace negativa::nn::cpu
