#include "nn/layer_gradients.h"

#include "nn/gradient.h"

namespace negativa::nn {

namespace {

Tensor rows_of(const Tensor& x) { return x.reshape({-1, x.size(-1)}); }

// One trained or frozen low-rank term of a layer, with what its gradients need.
struct Term {
  Tensor down, up;  // in the compute dtype
  double scale;
  Tensor inner;  // down x: [rows, rank]; undefined where `up` is frozen
};

}  // namespace

// y = W x + b + residual + sum_k s_k up_k (down_k x).
//   dx = dy W + sum_k s_k (dy up_k) down_k    d up_k = s_k dy^T (down_k x)    d down_k = s_k (dy up_k)^T x
Tensor linear_with_gradient(const Linear& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual) {
  std::vector<Tensor> inputs{x, residual};
  std::vector<Term> kept;
  bool trained = false;
  const Tensor y = without_graph([&] {
    const Tensor result = layer.forward(x, Adapters::none(), residual);
    Tensor rows = result.view({-1, result.size(-1)});
    for (const auto& term : terms) {
      check(term.row_scale.size() == 1, ErrorKind::shape, "[{}] got {} row scales, expected one where gradients are wanted", layer.name, term.row_scale.size());
      Term mine{term.down.to(x.options()), term.up.to(x.options()), term.row_scale.front(), {}};
      const Tensor inner = at::mm(rows_of(x), mine.down.t());
      rows.addmm_(inner, mine.up.t(), 1, mine.scale);
      if (term.up.requires_grad()) mine.inner = inner;
      trained = trained || term.down.requires_grad();
      kept.push_back(std::move(mine));
    }
    return result;
  });
  for (const auto& term : terms) {
    inputs.push_back(term.down);
    inputs.push_back(term.up);
  }
  const Tensor x_kept = trained ? x.detach() : Tensor();
  return with_backward(y, inputs, [&layer, x_kept, kept = std::move(kept), x_shape = shape_of(x)](const Tensor& gradient, const Needed& needed) {
    const Tensor dy = rows_of(gradient);
    std::vector<Tensor> gradients(2 + 2 * kept.size());
    Tensor dx;
    if (needed(0)) dx = at::mm(dy, weight_as(layer.weight, layer.weight_scale, dy));
    if (needed(1)) gradients[1] = gradient;
    for (size_t k = 0; k < kept.size(); ++k) {
      const auto& [down, up, scale, inner] = kept[k];
      const Tensor d_inner = at::mm(dy, up).mul_(scale);
      if (dx.defined()) dx.addmm_(d_inner, down);
      if (needed(2 + 2 * k)) gradients[2 + 2 * k] = at::mm(d_inner.t(), rows_of(x_kept));
      if (needed(3 + 2 * k)) gradients[3 + 2 * k] = at::mm(dy.t(), inner).mul_(scale);
    }
    if (dx.defined()) gradients[0] = dx.view(x_shape);
    return gradients;
  });
}

Tensor conv2d_with_gradient(const Conv2d& layer, const Tensor& x, const Tensor& residual) {
  const Tensor y = without_graph([&] { return layer.forward(x, residual); });
  return with_backward(y, {x, residual}, [&layer, x_shape = shape_of(x)](const Tensor& gradient, const Needed& needed) {
    std::vector<Tensor> gradients(2);
    if (needed(1)) gradients[1] = gradient;
    if (!needed(0)) return gradients;
    // The input's numbers are not needed, but its sizes are asked for as a tensor.
    const Tensor sizes = at::empty(x_shape, gradient.options(), at::MemoryFormat::ChannelsLast);
    const std::array<int64_t, 2> stride{layer.stride, layer.stride}, padding{layer.padding, layer.padding};
    gradients[0] = std::get<0>(at::convolution_backward(gradient, sizes, weight_as(layer.weight, layer.weight_scale, gradient), std::nullopt, stride, padding,
                                                        {1, 1}, false, {0, 0}, 1, {true, false, false}));
    return gradients;
  });
}

Tensor group_norm_with_gradient(const GroupNorm& layer, const Tensor& x, bool silu) {
  const Tensor y = without_graph([&] { return silu ? layer.forward_silu(x) : layer.forward(x); });
  return with_backward(y, {x}, [&layer, silu, x = x.detach()](const Tensor& gradient, const Needed&) -> std::vector<Tensor> {
    const Tensor weight = weight_as(layer.weight, {}, x), bias = weight_as(layer.bias, {}, x);
    const int64_t batch = x.size(0), pixels = x.size(2) * x.size(3);
    const auto [z, mean, rstd] = at::native_group_norm(x, weight, bias, batch, layer.channels, pixels, layer.groups, layer.eps);
    const Tensor dz = silu ? at::silu_backward(gradient, z) : gradient;
    return {std::get<0>(at::native_group_norm_backward(dz.contiguous(x.suggest_memory_format()), x, mean, rstd, weight, batch, layer.channels, pixels, layer.groups,
                                                       {true, false, false}))};
  });
}

Tensor geglu_with_gradient(const Tensor& x) {
  const Tensor y = without_graph([&] { return geglu(x); });
  return with_backward(y, {x}, [x = x.detach()](const Tensor& gradient, const Needed&) -> std::vector<Tensor> {
    const auto halves = x.chunk(2, -1);
    return {at::cat({gradient * at::gelu(halves[1]), at::gelu_backward(gradient * halves[0], halves[1])}, -1)};
  });
}

}  // namespace negativa::nn
