#include "nn/layers.h"

#include <algorithm>
#include <array>

#include "nn/cast_weight.h"
#include "nn/changed_layer.h"
#include "nn/gradient.h"
#include "nn/layer_gradients.h"

namespace negativa::nn {

namespace {

Tensor as(const Tensor& stored, const Tensor& x) { return cast_weight(stored, {}, x); }

Tensor low_rank(const Linear&, const Tensor& x, const AdapterTerm& term) {
  return at::linear(at::linear(x, as(term.down, x)), as(term.up, x));
}

Tensor low_rank(const Conv2d& layer, const Tensor& x, const AdapterTerm& term) {
  const std::array<int64_t, 2> stride{layer.stride, layer.stride}, padding{layer.padding, layer.padding};
  return at::conv2d(at::conv2d(x, as(term.down, x), {}, stride, padding), as(term.up, x));
}

// Adds one term to y, in place. Rows of scale 0 are not touched, so an inactive row keeps its very bytes.
template <class Layer>
void add_term(Tensor& y, const Layer& layer, const Tensor& x, const AdapterTerm& term) {
  const auto& scale = term.row_scale;
  if (is_uniform(scale)) {
    if (scale.front() != 0) y.add_(low_rank(layer, x, term), scale.front());
    return;
  }
  check_rows(scale, x);
  for (size_t row = 0; row < scale.size(); ++row)
    if (scale[row] != 0) y.select(0, row).add_(low_rank(layer, x.select(0, row), term), scale[row]);
}

// A weight with products in it is kept for the next step, which must not be where they are trained: validation has no gradients.
Products products_of(const Linear& layer, const std::vector<AdapterTerm>& terms) {
  const bool alike = std::all_of(terms.begin(), terms.end(), [](const auto& term) { return is_uniform(term.row_scale); });
  const bool is_small = layer.packed.defined() && layer.weight.numel() <= small_linear;
  return alike && is_small && !is_trained(terms) ? Products::in_weight : Products::apart;
}

}  // namespace

Tensor Linear::plain(const Tensor& x, const Tensor& residual) const {
  const Tensor shift = has_bias ? as(bias, x) : Tensor();
  if (cpu::usable(x) && packed.defined()) return cpu::packed_linear(x, packed, out_features, {shift, residual});
  if (cpu::usable(x)) return cpu::linear(x, cast_weight(weight, weight_scale, x), {shift, residual});
  const Tensor y = at::linear(x, cast_weight(weight, weight_scale, x), shift);
  return residual.defined() ? y + residual : y;
}

Tensor Linear::forward(const Tensor& x, const Adapters& adapters, const Tensor& residual) const {
  const auto& terms = adapters.at(name);
  if (wants_gradient(x, residual, terms) || trained_dora(terms)) return linear_with_gradient(*this, x, terms, residual);
  if (terms.empty()) return plain(x, residual);
  const Products products = products_of(*this, terms);
  Tensor y = with_changes<Linear>(*this, x, adapters, products, [&](const Linear& layer, const Rows& rows) {
    return layer.plain(rows.of(x), rows.of(residual));
  });
  for (const auto& term : terms)
    if (!term.change && products == Products::apart) add_term(y, *this, x, term);
  return y;
}

Tensor Conv2d::plain(const Tensor& x, const Tensor& residual) const {
  if (cpu::usable(x) && packed.defined() && (cpu::small_conv(x, weight, shape()) || cpu::winograd_fits(weight, shape())))
    return cpu::packed_conv2d(x, packed, {as(bias, x), residual}, shape());
  if (cpu::usable(x) && cpu::winograd_pays(x.size(0) * x.size(2) * x.size(3), weight, shape()))
    return cpu::transforming_conv2d(x, cast_weight(weight, weight_scale, x), {as(bias, x), residual});
  if (cpu::usable(x) && cpu::small_conv(x, weight, shape())) {
    return cpu::conv2d(x, cast_weight(weight, weight_scale, x), {as(bias, x), residual}, shape());
  }
  const Tensor y = at::conv2d(x, cast_weight(weight, weight_scale, x), as(bias, x), {stride, stride}, {padding, padding});
  return residual.defined() ? y + residual : y;
}

Tensor Conv2d::forward(const Tensor& x, const Adapters& adapters, const Tensor& residual) const {
  const auto& terms = adapters.at(name);
  // What is trained is another change at every step: no weight made of it is to be kept.
  if (wants_gradient(x, residual, terms) || is_trained(terms)) return conv2d_with_gradient(*this, x, terms, residual);
  if (terms.empty()) return plain(x, residual);
  const Products products = weight.numel() <= small_weight ? Products::in_weight : Products::apart;
  Tensor y = with_changes<Conv2d>(*this, x, adapters, products, [&](const Conv2d& layer, const Rows& rows) {
    return layer.plain(rows.of(x), rows.of(residual));
  });
  for (const auto& term : terms)
    if (!term.change && products == Products::apart) add_term(y, *this, x, term);
  return y;
}

namespace {

Tensor run(const GroupNorm& norm, const Tensor& x, bool silu) {
  if (cpu::usable(x)) return cpu::group_norm(x, as(norm.weight, x), as(norm.bias, x), {norm.groups, norm.eps, silu});
  const Tensor y = at::group_norm(x, norm.groups, as(norm.weight, x), as(norm.bias, x), norm.eps);
  return silu ? at::silu(y) : y;
}

Tensor run(const GroupNorm& norm, const Tensor& x, const Adapters& adapters, bool silu) {
  if (wants_gradient(x)) return group_norm_with_gradient(norm, x, adapters, silu);
  if (adapters.at(norm.name).empty()) return run(norm, x, silu);
  return with_changes<GroupNorm>(norm, x, adapters, Products::apart,
                                 [&](const GroupNorm& mine, const Rows& rows) { return run(mine, rows.of(x), silu); });
}

Tensor run(const LayerNorm& norm, const Tensor& x) {
  if (cpu::usable(x)) return cpu::layer_norm(x, as(norm.weight, x), as(norm.bias, x), norm.eps);
  return at::layer_norm(x, {norm.width}, as(norm.weight, x), as(norm.bias, x), norm.eps);
}

}  // namespace

Tensor GroupNorm::forward(const Tensor& x, const Adapters& adapters) const { return run(*this, x, adapters, false); }
Tensor GroupNorm::forward_silu(const Tensor& x, const Adapters& adapters) const { return run(*this, x, adapters, true); }

Tensor LayerNorm::forward(const Tensor& x, const Adapters& adapters) const {
  if (adapters.at(name).empty()) return run(*this, x);
  return with_changes<LayerNorm>(*this, x, adapters, Products::apart,
                                 [&](const LayerNorm& mine, const Rows& rows) { return run(mine, rows.of(x)); });
}

Tensor Embedding::forward(const Tensor& ids, DType compute) const { return at::embedding(weight, ids).to(compute); }

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, int64_t heads, bool causal,
                 const std::optional<Tensor>& mask) {
  if (!causal && !mask && cpu::usable(q) && !wants_gradient(q, k) && !wants_gradient(v) &&
      cpu::small_attention(k.size(1), q.size(2) / heads))
    return cpu::attention(q, k, v, heads);
  const auto split = [heads](const Tensor& t) { return t.view({t.size(0), t.size(1), heads, -1}).transpose(1, 2); };
  return at::scaled_dot_product_attention(split(q), split(k), split(v), mask, 0.0, causal).transpose(1, 2).flatten(2);
}

Tensor geglu(const Tensor& x) {
  if (wants_gradient(x)) return geglu_with_gradient(x);
  if (cpu::usable(x)) return cpu::geglu(x);
  const auto halves = x.chunk(2, -1);
  return halves[0] * at::gelu(halves[1]);
}

Tensor activation(const std::string& name, const Tensor& x) {
  if (name == "silu" || name == "swish") return at::silu(x);
  if (name == "gelu") return at::gelu(x);
  if (name == "quick_gelu") return x * at::sigmoid(x * 1.702);
  fail(ErrorKind::input, "[activation] got \"{}\", expected silu, gelu or quick_gelu", name);
}

std::vector<std::string> activation_names() { return {"silu", "swish", "gelu", "quick_gelu"}; }

}  // namespace negativa::nn
