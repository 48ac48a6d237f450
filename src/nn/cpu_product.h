#pragma once
// The product of matrices beneath linear layers and convolutions whose weights are small. The library's spends a fifth of its
// time on copying such weights into an order of its own at every call, and its kernels for some CPUs are slow; here they are
// stored in that order.
#include <cstdint>

namespace negativa::nn::cpu {

// Columns of weights lie in panels of this many, one after another, so that each is read as one stream; the last panel ends in
// zeros.
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
};

// On the calling thread. A row's result depends on nothing but that row: not on how many there are, nor on their order.
void multiply(const Product& product);

}  // namespace negativa::nn::cpu
