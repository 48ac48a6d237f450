// 3x3 convolutions with 16 multiplications for 4 pixels instead of 36: F(2x2, 3x3) of Lavin & Gray 2015, arXiv:1509.09308.
// Their larger tiles save more and lose digits; this one's error is that of the plain sum.
#include <ATen/Parallel.h>

#include <mutex>

#include "nn/cpu_kernels.h"
#include "nn/isa/kernels.h"
#include "nn/threads.h"

namespace negativa::nn::cpu {

namespace {

constexpr int64_t positions = 16;  // of a 4x4 tile of the input, which gives 2x2 of the output
constexpr int64_t most_tiles_a_task = 64;

// So few that they stay in the L2 cache once transformed; of many channels they cannot, but then weights outgrow the caches, and
// more tiles share each reading of them.
int64_t tiles_a_task(int64_t in) { return in >= 256 ? most_tiles_a_task : 32; }

// From one position's matrix to the next. The sixteen elements of a channel must not fall on one set of a cache.
int64_t matrix_stride(int64_t rows, int64_t channels) { return rows * channels + channels_a_step; }

struct Scratch {  // of a thread; grows to the largest layer
  std::vector<float> input, products, zeros, dropped;

  void fit(int64_t in, int64_t out) {
    const auto grow = [](std::vector<float>& elements, int64_t length) {
      if (static_cast<int64_t>(elements.size()) < length) elements.resize(length);
    };
    grow(input, positions * matrix_stride(tiles_a_task(in), in));
    grow(products, positions * matrix_stride(tiles_a_task(in), out));
    grow(zeros, std::max(in, out));
    grow(dropped, out);
  }
};

struct Layer {
  const float *x, *packed, *bias, *residual;  // x [B,H,W,in]; residual [B,H,W,out] or nullptr
  float* y;                                   // [B,H,W,out]
  int64_t height, width, in, out;
  int64_t weights_a_position;  // floats from one position's weights to the next

  int64_t across() const { return (width + 1) / 2; }
  int64_t tiles_a_picture() const { return (height + 1) / 2 * across(); }
};

struct Corner {  // upper left pixel of a tile of the output
  int64_t picture, y, x;
};

Corner corner_of(const Layer& layer, int64_t tile) {
  const int64_t in_picture = tile % layer.tiles_a_picture();
  return {tile / layer.tiles_a_picture(), in_picture / layer.across() * 2, in_picture % layer.across() * 2};
}

// Index of a pixel, negative beyond the edges.
inline int64_t pixel_index(const Layer& layer, const Corner& corner, int64_t dy, int64_t dx) {
  const int64_t y = corner.y + dy, x = corner.x + dx;
  const bool inside = y >= 0 && y < layer.height && x >= 0 && x < layer.width;
  return inside ? (corner.picture * layer.height + y) * layer.width + x : -1;
}

void read_tile(const Layer& layer, int64_t tile, int64_t slot, int64_t count, Scratch& scratch) {
  const Corner corner = corner_of(layer, tile);
  const float* pixels[positions];
  for (int64_t i = 0; i < positions; ++i) {
    const int64_t index = pixel_index(layer, corner, i / 4 - 1, i % 4 - 1);
    pixels[i] = index < 0 ? scratch.zeros.data() : layer.x + index * layer.in;
  }
  kernels().transform_input(pixels, layer.in, scratch.input.data() + slot * layer.in, matrix_stride(count, layer.in));
}

void write_tile(const Layer& layer, int64_t tile, int64_t slot, int64_t count, Scratch& scratch) {
  const Corner corner = corner_of(layer, tile);
  const float *residual[4], *bias = layer.bias ? layer.bias : scratch.zeros.data();
  float* out[4];
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t index = pixel_index(layer, corner, i / 2, i % 2);
    residual[i] = index < 0 || !layer.residual ? scratch.zeros.data() : layer.residual + index * layer.out;
    out[i] = index < 0 ? scratch.dropped.data() : layer.y + index * layer.out;
  }
  kernels().transform_output(scratch.products.data() + slot * layer.out, matrix_stride(count, layer.out), bias, residual,
                             layer.out, out);
}

void convolve_tiles(const Layer& layer, int64_t first, int64_t count, Scratch& scratch) {
  for (int64_t i = 0; i < count; ++i) read_tile(layer, first + i, i, count, scratch);
  const float *sources[most_tiles_a_task], *start[most_tiles_a_task];
  std::fill_n(start, count, scratch.zeros.data());
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t i = 0; i < count; ++i)
      sources[i] = scratch.input.data() + position * matrix_stride(count, layer.in) + i * layer.in;
    kernels().multiply({count, 1, layer.in, layer.out, sources, layer.packed + position * layer.weights_a_position,
                        scratch.zeros.data(), start, scratch.products.data() + position * matrix_stride(count, layer.out)});
  }
  for (int64_t i = 0; i < count; ++i) write_tile(layer, first + i, i, count, scratch);
}

}  // namespace

// Whole vectors of channels.
bool winograd_fits(const Tensor& weight, const ConvShape& shape) {
  const bool whole = weight.size(0) % channels_a_step == 0 && weight.size(1) % channels_a_step == 0;
  return shape.kernel == 3 && shape.stride == 1 && shape.padding == 1 && whole;
}

// G g G^T in double: [out,in,3,3] -> [16, panels, in, panel_width]
Tensor pack_winograd(const Tensor& weight) {
  const Tensor g = at::tensor({1.0, 0.0, 0.0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.0, 0.0, 1.0}, at::kDouble).view({4, 3});
  const Tensor both_sides = at::kron(g, g);  // [16,9]: one product for all kernels instead of two for each
  const Tensor transformed =
      at::matmul(both_sides, weight.to(at::kDouble).flatten(2).permute({2, 1, 0}).flatten(1)).to(at::kFloat);
  std::vector<Tensor> packed;
  for (const Tensor& matrix : transformed.view({positions, weight.size(1), weight.size(0)}).unbind())
    packed.push_back(in_panels(matrix));
  return at::stack(packed);
}

namespace {

struct TransformedWeights {
  const float* at;
  int64_t to_next_position;
};

Tensor convolve(const Tensor& input, const TransformedWeights& weights, const Addend& addend, int64_t out_channels) {
  constexpr auto channels_last = at::MemoryFormat::ChannelsLast;
  const Tensor x = input.contiguous(channels_last),
               residual = addend.residual.defined() ? addend.residual.contiguous(channels_last) : Tensor();
  Tensor y = at::empty({x.size(0), out_channels, x.size(2), x.size(3)}, x.options(), channels_last);
  const Layer layer{x.const_data_ptr<float>(),
                    weights.at,
                    data_or_null(addend.bias),
                    data_or_null(residual),
                    y.mutable_data_ptr<float>(),
                    x.size(2),
                    x.size(3),
                    x.size(1),
                    out_channels,
                    weights.to_next_position};
  const int64_t tiles = x.size(0) * layer.tiles_a_picture(), a_task = tiles_a_task(layer.in);
  at::parallel_for(0, (tiles + a_task - 1) / a_task, items_a_thread(2 * positions * a_task * layer.in * layer.out),
                   [&](int64_t begin, int64_t end) {
                     thread_local Scratch scratch;
                     scratch.fit(layer.in, layer.out);
                     for (int64_t task = begin; task < end; ++task)
                       convolve_tiles(layer, task * a_task, std::min(a_task, tiles - task * a_task), scratch);
                   });
  return y;
}

}  // namespace

Tensor winograd_conv2d(const Tensor& x, const Tensor& packed, const Addend& addend, int64_t out_channels) {
  return convolve(x, {packed.const_data_ptr<float>(), packed.stride(0)}, addend, out_channels);
}

bool winograd_pays(int64_t pixels, const Tensor& weight, const ConvShape& shape) {
  return winograd_fits(weight, shape) && pixels >= 512;
}

int64_t transformed_elements(const Tensor& weight) { return positions * matrix_stride(weight.size(0), weight.size(1)); }

namespace {

// Memory for transformed weights, one piece for each call at a time: the system is slow to give as much at every call.
class KeptMemory {
 public:
  std::vector<float> take(int64_t length) {
    std::vector<float> taken;
    const std::lock_guard lock(mutex_);
    if (!pieces_.empty()) {
      taken = std::move(pieces_.back());
      pieces_.pop_back();
    }
    if (static_cast<int64_t>(taken.size()) < length) taken = std::vector<float>(length);
    return taken;
  }
  void give_back(std::vector<float> piece) {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(std::move(piece));
  }
  void free() {
    const std::lock_guard lock(mutex_);
    pieces_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::vector<float>> pieces_;
};

KeptMemory& kept_memory() {
  static KeptMemory memory;
  return memory;
}

}  // namespace

void free_kept_memory() { kept_memory().free(); }

Tensor transforming_conv2d(const Tensor& x, const Tensor& weight, const Addend& addend) {
  const Tensor kernels_by_tap = weight.contiguous(at::MemoryFormat::ChannelsLast);
  const int64_t out = weight.size(0), in = weight.size(1), taps = 9, stride = matrix_stride(out, in);
  std::vector<float> memory = kept_memory().take(transformed_elements(weight));
  float* transformed = memory.data();
  const float* from = kernels_by_tap.const_data_ptr<float>();
  at::parallel_for(0, out / panel_width, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      kernels().transform_weights(from + panel * panel_width * taps * in, taps * in, in, transformed + panel * panel_width * in,
                                  stride);
  });
  Tensor y = convolve(x, {transformed, stride}, addend, out);
  kept_memory().give_back(std::move(memory));
  return y;
}

}  // namespace negativa::nn::cpu
