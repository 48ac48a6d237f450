#include "nn/layers.h"

#include <algorithm>
#include <functional>

#include "nn/cast_weight.h"
#include "nn/gradient.h"
#include "nn/layer_gradients.h"

namespace negativa::nn {

namespace {

Tensor as(const Tensor& stored, const Tensor& x) { return cast_weight(stored, {}, x); }

Tensor low_rank(const Tensor& x, const AdapterTerm& term) { return at::linear(at::linear(x, as(term.down, x)), as(term.up, x)); }

// Adds one term to y, in place. Rows of scale 0 are not touched, so an inactive row keeps its very bytes.
void add_term(Tensor& y, const Tensor& x, const AdapterTerm& term) {
  const auto& scale = term.row_scale;
  const bool uniform = std::adjacent_find(scale.begin(), scale.end(), std::not_equal_to<>()) == scale.end();
  if (uniform) {
    if (scale.front() != 0) y.add_(low_rank(x, term), scale.front());
    return;
  }
  check(static_cast<int64_t>(scale.size()) == x.size(0), ErrorKind::shape, "[adapters] got {} row scales, expected {} batch rows",
        scale.size(), x.size(0));
  for (size_t row = 0; row < scale.size(); ++row)
    if (scale[row] != 0) y.select(0, row).add_(low_rank(x.select(0, row), term), scale[row]);
}

}  // namespace

Tensor Linear::forward(const Tensor& x, const Adapters& adapters, const Tensor& residual) const {
  const auto& terms = adapters.at(name);
  if (wants_gradient(x, residual, terms)) return linear_with_gradient(*this, x, terms, residual);
  const Tensor shift = has_bias ? as(bias, x) : Tensor();
  Tensor y;
  if (cpu::usable(x) && packed.defined()) {
    y = cpu::packed_linear(x, packed, out_features, {shift, residual});
  } else if (cpu::usable(x)) {
    y = cpu::linear(x, cast_weight(weight, weight_scale, x), {shift, residual});
  } else {
    y = at::linear(x, cast_weight(weight, weight_scale, x), shift);
    if (residual.defined()) y = y + residual;
  }
  for (const auto& term : terms) add_term(y, x, term);
  return y;
}

Tensor Conv2d::forward(const Tensor& x, const Tensor& residual) const {
  if (wants_gradient(x, residual)) return conv2d_with_gradient(*this, x, residual);
  if (cpu::usable(x) && cpu::small_conv(x, weight, shape())) {
    if (packed.defined()) return cpu::packed_conv2d(x, packed, {as(bias, x), residual}, shape());
    return cpu::conv2d(x, cast_weight(weight, weight_scale, x), {as(bias, x), residual}, shape());
  }
  const Tensor y = at::conv2d(x, cast_weight(weight, weight_scale, x), as(bias, x), {stride, stride}, {padding, padding});
  return residual.defined() ? y + residual : y;
}

Tensor GroupNorm::forward(const Tensor& x) const {
  if (wants_gradient(x)) return group_norm_with_gradient(*this, x, false);
  if (cpu::usable(x)) return cpu::group_norm(x, as(weight, x), as(bias, x), {groups, eps, false});
  return at::group_norm(x, groups, as(weight, x), as(bias, x), eps);
}

Tensor GroupNorm::forward_silu(const Tensor& x) const {
  if (wants_gradient(x)) return group_norm_with_gradient(*this, x, true);
  if (cpu::usable(x)) return cpu::group_norm(x, as(weight, x), as(bias, x), {groups, eps, true});
  return at::silu(forward(x));
}

Tensor LayerNorm::forward(const Tensor& x) const {
  if (cpu::usable(x)) return cpu::layer_norm(x, as(weight, x), as(bias, x), eps);
  return at::layer_norm(x, {width}, as(weight, x), as(bias, x), eps);
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
