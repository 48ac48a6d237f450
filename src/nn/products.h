#pragma once
// Matrix products of training, where weights are small or change at every step.
#include "core/tensor.h"

namespace negativa::nn {

enum class Make { intel, other };  // of the processor
Make processor_make();

// Whether the product of an [m,k] and a [k,n] matrix in fp32 goes through our kernel. The library's BLAS is Intel's: on its
// processors fast at every size, on others it copies both matrices in a slow way and multiplies without AVX-512. By shape and
// make alone, since a choice by time would make results depend on the clock. Large products stay the library's, which shares
// their columns among threads too.
bool takes_own_kernel(int64_t m, int64_t k, int64_t n, Make make);

// a [m,k] b [k,n] -> [m,n], in whatever order of memory.
Tensor product(const Tensor& a, const Tensor& b, Make make = processor_make());

// a^T b of a wide a [k,m] and a narrow b [k,n] -> [m,n]: of the two, our kernel is to read a row by row.
Tensor product_over_rows(const Tensor& a, const Tensor& b, Make make = processor_make());

// y [m,n] += scale a b. y's rows are contiguous.
void add_product(Tensor& y, const Tensor& a, const Tensor& b, double scale, Make make = processor_make());

}  // namespace negativa::nn
