#include "nn/products.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cstring>

#include "nn/cpu_kernels.h"
#include "nn/isa/kernels.h"
#include "nn/threads.h"

namespace negativa::nn {

namespace {

using cpu::panel_width;

constexpr int64_t rows_a_task = 64;
constexpr int64_t largest_packed = 512 << 10;  // elements: two MiB, which the second-level cache holds

int64_t panels_of(int64_t width) { return (width + panel_width - 1) / panel_width; }

// scale * b [k,n] as panels [panels, k, panel_width].
void pack(const Tensor& b, float scale, float* to) {
  const int64_t k = b.size(0), n = b.size(1), along = b.stride(0), across = b.stride(1);
  const float* from = b.const_data_ptr<float>();
  for (int64_t first = 0; first < n; first += panel_width, to += k * panel_width) {
    const int64_t columns = std::min(panel_width, n - first);
    if (columns < panel_width) std::memset(to, 0, static_cast<size_t>(k * panel_width) * sizeof(float));
    const float* panel = from + first * across;
    if (across == 1) {
      for (int64_t i = 0; i < k; ++i)
        for (int64_t c = 0; c < columns; ++c) to[i * panel_width + c] = scale * panel[i * along + c];
      continue;
    }
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t i = 0; i < k; ++i) to[i * panel_width + c] = scale * panel[c * across + i * along];
  }
}

struct RightMatrix {
  const float* at;
  int64_t width, row_stride;  // as Product's
};

// out [m, width] = start + a b. a's rows are contiguous; start may be out.
void multiply_rows(const Tensor& a, const RightMatrix& b, const float* start, float* out) {
  const int64_t width = b.width;
  const int64_t rows = a.size(0), depth = a.size(1), to_next = a.stride(0);
  const float* source = a.const_data_ptr<float>();
  at::parallel_for(0, (rows + rows_a_task - 1) / rows_a_task, cpu::items_a_thread(2 * rows_a_task * depth * width),
                   [&](int64_t first_task, int64_t last_task) {
                     thread_local std::vector<float> zeros;
                     if (static_cast<int64_t>(zeros.size()) < width) zeros.resize(static_cast<size_t>(width));
                     const float *sources[rows_a_task], *starts[rows_a_task];
                     for (int64_t task = first_task; task < last_task; ++task) {
                       const int64_t first = task * rows_a_task, count = std::min(rows_a_task, rows - first);
                       for (int64_t r = 0; r < count; ++r) {
                         sources[r] = source + (first + r) * to_next;
                         starts[r] = start ? start + (first + r) * width : zeros.data();
                       }
                       cpu::kernels().multiply(
                           {count, 1, depth, width, sources, b.at, zeros.data(), starts, out + first * width, b.row_stride});
                     }
                   });
}

// Memory of the calling thread, of which each use has its own.
enum class Use { packed, narrow };
float* room_for(Use use, int64_t count) {
  thread_local std::array<std::vector<float>, 2> rooms;
  auto& room = rooms[static_cast<size_t>(use)];
  if (static_cast<int64_t>(room.size()) < count) room.resize(static_cast<size_t>(count));
  return room.data();
}

// scale * b as the kernel reads it: where it lies, if that can be and packing it would cost about as much as the few rows that
// are multiplied by it.
RightMatrix right_matrix(const Tensor& b, float scale, int64_t rows) {
  constexpr int64_t few_rows = 32;
  const int64_t n = b.size(1);
  const bool as_it_is = rows <= few_rows && scale == 1 && b.stride(1) == 1 && b.stride(0) >= n && n % panel_width == 0;
  if (as_it_is) return {b.const_data_ptr<float>(), n, b.stride(0)};
  float* packed = room_for(Use::packed, panels_of(n) * panel_width * b.size(0));
  pack(b, scale, packed);
  return {packed, n, 0};
}

Tensor with_contiguous_rows(const Tensor& a) { return a.stride(1) == 1 || a.size(1) == 1 ? a : a.contiguous(); }

bool is_ours(const Tensor& a, const Tensor& b, Make make) {
  const auto plain = [](const Tensor& t) { return t.is_cpu() && t.scalar_type() == at::kFloat; };
  return plain(a) && plain(b) && takes_own_kernel(a.size(0), a.size(1), b.size(1), make);
}

}  // namespace

Make processor_make() {
#ifdef __x86_64__
  __builtin_cpu_init();
  return __builtin_cpu_is("intel") ? Make::intel : Make::other;
#else
  return Make::other;
#endif
}

bool takes_own_kernel(int64_t m, int64_t k, int64_t n, Make make) {
  return make == Make::other && m > 0 && k > 0 && n > 0 && k * panels_of(n) * panel_width <= largest_packed;
}

Tensor product(const Tensor& a, const Tensor& b, Make make) {
  if (!is_ours(a, b, make)) return at::mm(a, b);
  const Tensor rows = with_contiguous_rows(a);
  RightMatrix weights = right_matrix(b, 1, rows.size(0));
  const int64_t m = rows.size(0), n = b.size(1);
  Tensor y = at::empty({m, n}, rows.options());
  auto* out = y.mutable_data_ptr<float>();
  if (n >= panel_width) {
    multiply_rows(rows, weights, nullptr, out);
    return y;
  }
  weights.width = panel_width;  // whole vectors are stored faster
  float* wide = room_for(Use::narrow, m * panel_width);
  multiply_rows(rows, weights, nullptr, wide);
  for (int64_t r = 0; r < m; ++r)
    for (int64_t c = 0; c < n; ++c) out[r * n + c] = wide[r * panel_width + c];
  return y;
}

Tensor product_over_rows(const Tensor& a, const Tensor& b, Make make) {
  return is_ours(b.t(), a, make) ? product(b.t(), a, make).t() : at::mm(a.t(), b);
}

void add_product(Tensor& y, const Tensor& a, const Tensor& b, double scale, Make make) {
  const bool is_dense = y.is_contiguous() && y.is_cpu() && y.scalar_type() == at::kFloat;
  if (!is_dense || !is_ours(a, b, make)) {
    y.addmm_(a, b, 1, scale);
    return;
  }
  const Tensor rows = with_contiguous_rows(a);
  const RightMatrix weights = right_matrix(b, static_cast<float>(scale), rows.size(0));
  auto* out = y.mutable_data_ptr<float>();
  multiply_rows(rows, weights, out, out);
}

}  // namespace negativa::nn
