#include "nn/products.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <cstring>

#include "nn/cpu_kernels.h"
#include "nn/isa/kernels.h"

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
    if (across == 1 && columns == panel_width) {
      for (int64_t i = 0; i < k; ++i)
        for (int64_t c = 0; c < panel_width; ++c) to[i * panel_width + c] = scale * panel[i * along + c];
      continue;
    }
    for (int64_t c = 0; c < columns; ++c)
      for (int64_t i = 0; i < k; ++i) to[i * panel_width + c] = scale * panel[c * across + i * along];
  }
}

// out [m, width] = start + a b with b in panels. a's rows are contiguous; start may be out.
void multiply_packed(const Tensor& a, const float* packed, int64_t width, const float* start, float* out) {
  const int64_t rows = a.size(0), depth = a.size(1), to_next = a.stride(0);
  const float* source = a.const_data_ptr<float>();
  at::parallel_for(0, (rows + rows_a_task - 1) / rows_a_task, 1, [&](int64_t first_task, int64_t last_task) {
    thread_local std::vector<float> zeros;
    if (static_cast<int64_t>(zeros.size()) < width) zeros.resize(static_cast<size_t>(width));
    const float *sources[rows_a_task], *starts[rows_a_task];
    for (int64_t task = first_task; task < last_task; ++task) {
      const int64_t first = task * rows_a_task, count = std::min(rows_a_task, rows - first);
      for (int64_t r = 0; r < count; ++r) {
        sources[r] = source + (first + r) * to_next;
        starts[r] = start ? start + (first + r) * width : zeros.data();
      }
      cpu::kernels().multiply({count, 1, depth, width, sources, packed, zeros.data(), starts, out + first * width});
    }
  });
}

// Memory for a packed matrix, of the calling thread.
float* room_for(const Tensor& b) {
  thread_local std::vector<float> room;
  const auto needed = static_cast<size_t>(panels_of(b.size(1)) * panel_width * b.size(0));
  if (room.size() < needed) room.resize(needed);
  return room.data();
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
  const int64_t n = b.size(1), width = n < panel_width ? panel_width : n;  // whole vectors are stored faster
  float* packed = room_for(b);
  pack(b, 1, packed);
  Tensor y = at::empty({rows.size(0), width}, rows.options());
  multiply_packed(rows, packed, width, nullptr, y.mutable_data_ptr<float>());
  return width == n ? y : y.narrow(1, 0, n);
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
  float* packed = room_for(b);
  pack(b, static_cast<float>(scale), packed);
  auto* out = y.mutable_data_ptr<float>();
  multiply_packed(rows, packed, y.size(1), out, out);
}

}  // namespace negativa::nn
