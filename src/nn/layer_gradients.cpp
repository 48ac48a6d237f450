#include "nn/layer_gradients.h"

#include "nn/cast_weight.h"
#include "nn/gradient.h"
#include "nn/products.h"

namespace negativa::nn {

namespace {

Tensor rows_of(const Tensor& x) { return x.reshape({-1, x.size(-1)}); }

void check_trainable(const std::string& layer, const AdapterTerm& term) {
  check(!term.change, ErrorKind::input, "[{}] got an adapter that is no product, expected a LoRA where gradients are wanted",
        layer);
  check(term.row_scale.size() == 1, ErrorKind::shape, "[{}] got {} row scales, expected one where gradients are wanted", layer,
        term.row_scale.size());
}

void check_alone(const std::string& layer, const std::vector<AdapterTerm>& terms) {
  for (const auto& term : terms)
    check(!term.magnitude.defined() || terms.size() == 1, ErrorKind::input,
          "[{}] got a trained DoRA beside other adapters, expected it alone", layer);
}

// |W + s up down|, the norm of each output's row, in the factors' number format. To the gradient it is a constant (section 4.3 of
// arXiv:2402.09353, and so peft: tuners/lora/dora.py).
template <class Layer>
Tensor row_norms(const Layer& layer, const Tensor& x, const AdapterTerm& term) {
  const c10::NoGradGuard no_graph;
  const Tensor down = term.down.to(x.device()).flatten(1), up = term.up.to(x.device()).flatten(1);
  const Tensor weight = cast_weight(layer.weight, layer.weight_scale, down).flatten(1);
  return at::linalg_vector_norm(at::addmm(weight, up, down, 1, term.row_scale.front()), 2, at::IntArrayRef{1});
}

// m z / |W + s up down| + b + residual of z = (W + s up down) x, outputs along `axis`.
template <class Layer>
Tensor with_magnitude(const Layer& layer, const Tensor& z, const AdapterTerm& term, const Tensor& residual, int64_t axis) {
  Shape per_output(static_cast<size_t>(z.dim()), 1);
  per_output[static_cast<size_t>(axis)] = -1;
  const Tensor norms = row_norms(layer, z, term);
  Tensor y = z * (term.magnitude.to(norms.options()) / norms).to(z.options()).view(per_output);
  if (layer.bias.defined()) y = y + cast_weight(layer.bias, {}, z).view(per_output);
  return residual.defined() ? y + residual : y;
}

Linear without_bias(Linear layer) {
  layer.has_bias = false;
  return layer;
}

Conv2d without_bias(Conv2d layer) {
  layer.bias = at::zeros_like(layer.bias);
  return layer;
}

// One trained or frozen low-rank term of a layer, with what its gradients need.
struct Term {
  Tensor down, up;  // in the compute dtype
  double scale;
  Tensor inner;  // down x: [rows, rank]; undefined where `up` is frozen
};

struct LinearResult {
  Tensor y;
  std::vector<Term> terms;
  bool keeps_x;  // where a `down` is trained
};

LinearResult run_linear(const Linear& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual,
                        bool with_bias) {
  const c10::NoGradGuard no_graph;
  LinearResult result{with_bias ? layer.plain(x, residual) : without_bias(layer).plain(x), {}, false};
  Tensor rows = result.y.view({-1, result.y.size(-1)});
  for (const auto& term : terms) {
    check_trainable(layer.name, term);
    Term mine{term.down.to(x.options()), term.up.to(x.options()), term.row_scale.front(), {}};
    const Tensor inner = product(rows_of(x), mine.down.t());
    add_product(rows, inner, mine.up.t(), mine.scale);
    if (term.up.requires_grad()) mine.inner = inner.contiguous();  // without what our kernel rounds rows up to
    result.keeps_x = result.keeps_x || term.down.requires_grad();
    result.terms.push_back(std::move(mine));
  }
  return result;
}

// Of x, residual, and down and up of each term. x is read only where a `down` wants its gradient.
std::vector<Tensor> linear_gradients(const Linear& layer, const Tensor& x, const std::vector<Term>& terms, const Tensor& gradient,
                                     const Needed& needed) {
  const Tensor dy = rows_of(gradient);
  std::vector<Tensor> gradients(2 + 2 * terms.size());
  Tensor dx;
  if (needed(0)) {
    const Tensor weight = cast_weight(layer.weight, layer.weight_scale, dy);
    dx = cpu::usable(dy) && !cpu::worth_packing(weight) ? cpu::linear(dy, weight.t(), {{}, {}}) : product(dy, weight);
  }
  if (needed(1)) gradients[1] = gradient;
  for (size_t k = 0; k < terms.size(); ++k) {
    const auto& [down, up, scale, inner] = terms[k];
    const Tensor d_inner = product(dy, up).mul_(scale);
    if (dx.defined()) add_product(dx, d_inner, down, 1);
    if (needed(2 + 2 * k)) gradients[2 + 2 * k] = product(d_inner.t(), rows_of(x));
    if (needed(3 + 2 * k)) gradients[3 + 2 * k] = product_over_rows(dy, inner).mul_(scale);
  }
  gradients[0] = dx;
  return gradients;
}

void append(std::vector<Tensor>& inputs, const Tensor& residual, const std::vector<AdapterTerm>& terms) {
  inputs.push_back(residual);
  for (const auto& term : terms) {
    inputs.push_back(term.down);
    inputs.push_back(term.up);
  }
}

// The same values as a leaf of a new graph.
Tensor as_leaf(const Tensor& tensor) {
  return tensor.defined() ? tensor.detach().requires_grad_(tensor.requires_grad()) : tensor;
}

// y = W x + b + residual + sum_k s_k up_k (down_k x).
//   dx = dy W + sum_k s_k (dy up_k) down_k    d up_k = s_k dy^T (down_k x)    d down_k = s_k (dy up_k)^T x
// with_bias: b is added.
Tensor products_with_gradient(const Linear& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual,
                              bool with_bias) {
  auto [y, kept, keeps_x] = run_linear(layer, x, terms, residual, with_bias);
  std::vector<Tensor> inputs{x};
  append(inputs, residual, terms);
  return with_backward(y, inputs,
                       [&layer, x = keeps_x ? x.detach() : Tensor(), kept = std::move(kept), shape = shape_of(x)](
                           const Tensor& gradient, const Needed& needed) {
                         auto gradients = linear_gradients(layer, x, kept, gradient, needed);
                         if (gradients[0].defined()) gradients[0] = gradients[0].reshape(shape);
                         return gradients;
                       });
}

// The same of x = body(inputs), which runs again.
Tensor checkpointed_products(const Linear& layer, const std::vector<Tensor>& inputs, const Body& body,
                             const std::vector<AdapterTerm>& terms, const Tensor& residual, bool with_bias) {
  auto [y, kept, keeps_x] = run_linear(layer, without_graph([&] { return body(inputs); }), terms, residual, with_bias);
  std::vector<Tensor> all = inputs;
  append(all, residual, terms);
  return with_backward(y, all, [&layer, inputs, body, kept = std::move(kept)](const Tensor& gradient, const Needed& needed) {
    std::vector<Tensor> leaves, gradients;
    for (const auto& input : inputs) leaves.push_back(as_leaf(input));
    const c10::AutoGradMode with_graph(true);
    const Tensor x = body(leaves);
    auto of_layer = without_graph([&] {
      return linear_gradients(layer, x.detach(), kept, gradient,
                              [&](size_t i) { return i == 0 ? x.requires_grad() : needed(inputs.size() + i - 1); });
    });
    if (x.requires_grad()) backward(x, of_layer[0].reshape(shape_of(x)));
    for (const auto& leaf : leaves) gradients.push_back(leaf.defined() ? leaf.grad() : Tensor());
    gradients.insert(gradients.end(), of_layer.begin() + 1, of_layer.end());
    return gradients;
  });
}

}  // namespace

Tensor linear_with_gradient(const Linear& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual) {
  check_alone(layer.name, terms);
  const AdapterTerm* dora = trained_dora(terms);
  if (!dora) return products_with_gradient(layer, x, terms, residual, true);
  return with_magnitude(layer, products_with_gradient(layer, x, terms, {}, false), *dora, residual, x.dim() - 1);
}

Tensor checkpointed_linear(const Linear& layer, const std::vector<Tensor>& inputs, const Body& body, const Adapters& adapters,
                           const Tensor& residual) {
  const auto& terms = adapters.at(layer.name);
  const bool wanted = wants_gradient({}, residual, terms) ||
                      std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return wants_gradient(x); });
  if (!adapters.gradient_checkpointing || !wanted) return layer.forward(body(inputs), adapters, residual);
  check_alone(layer.name, terms);
  const AdapterTerm* dora = trained_dora(terms);
  if (!dora) return checkpointed_products(layer, inputs, body, terms, residual, true);
  const Tensor z = checkpointed_products(layer, inputs, body, terms, {}, false);
  return with_magnitude(layer, z, *dora, residual, z.dim() - 1);
}

namespace {

Tensor frozen_conv2d(const Conv2d& layer, const Tensor& x, const Tensor& residual, bool with_bias) {
  const Tensor y = without_graph([&] { return with_bias ? layer.plain(x, residual) : without_bias(layer).plain(x, residual); });
  if (!wants_gradient(x, residual)) return y;
  return with_backward(y, {x, residual}, [&layer, x_shape = shape_of(x)](const Tensor& gradient, const Needed& needed) {
    std::vector<Tensor> gradients(2);
    if (needed(1)) gradients[1] = gradient;
    if (!needed(0)) return gradients;
    // The input's values are not needed, but its sizes are asked for as a tensor.
    const Tensor sizes = at::empty(x_shape, gradient.options(), at::MemoryFormat::ChannelsLast);
    const std::array<int64_t, 2> stride{layer.stride, layer.stride}, padding{layer.padding, layer.padding};
    gradients[0] =
        std::get<0>(at::convolution_backward(gradient, sizes, cast_weight(layer.weight, layer.weight_scale, gradient),
                                             std::nullopt, stride, padding, {1, 1}, false, {0, 0}, 1, {true, false, false}));
    return gradients;
  });
}

}  // namespace

Tensor conv2d_with_gradient(const Conv2d& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual) {
  check_alone(layer.name, terms);
  const AdapterTerm* dora = trained_dora(terms);
  Tensor y = frozen_conv2d(layer, x, dora ? Tensor() : residual, !dora);
  const std::array<int64_t, 2> stride{layer.stride, layer.stride}, padding{layer.padding, layer.padding};
  for (const auto& term : terms) {
    check_trainable(layer.name, term);
    const Tensor inner = at::conv2d(x, term.down.to(x.options()), {}, stride, padding);
    y = y + at::conv2d(inner, term.up.to(x.options())) * term.row_scale.front();
  }
  return dora ? with_magnitude(layer, y, *dora, residual, 1) : y;
}

Tensor group_norm_with_gradient(const GroupNorm& layer, const Tensor& x, const Adapters& adapters, bool silu) {
  check(adapters.at(layer.name).empty(), ErrorKind::input,
        "[{}] got an adapter of a norm, expected none where gradients are wanted", layer.name);
  const Tensor y = without_graph([&] { return silu ? layer.forward_silu(x) : layer.forward(x); });
  return with_backward(y, {x}, [&layer, silu, x = x.detach()](const Tensor& gradient, const Needed&) -> std::vector<Tensor> {
    const Tensor weight = cast_weight(layer.weight, {}, x), bias = cast_weight(layer.bias, {}, x);
    const int64_t batch = x.size(0), pixels = x.size(2) * x.size(3);
    const auto [z, mean, rstd] = at::native_group_norm(x, weight, bias, batch, layer.channels, pixels, layer.groups, layer.eps);
    const Tensor dz = silu ? at::silu_backward(gradient, z) : gradient;
    return {std::get<0>(at::native_group_norm_backward(dz.contiguous(x.suggest_memory_format()), x, mean, rstd, weight, batch,
                                                       layer.channels, pixels, layer.groups, {true, false, false}))};
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
