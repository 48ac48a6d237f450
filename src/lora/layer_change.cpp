#include "lora/layer_change.h"

namespace negativa {

namespace {

// m (W + dW) / |W + dW|; a row that is all zeros stays so.
Tensor with_magnitude(const Tensor& weight, const Magnitude& magnitude) {
  const int64_t kept = magnitude.per_input ? 1 : 0;
  std::vector<int64_t> summed;
  Shape per_axis(weight.dim(), 1);
  for (int64_t axis = 0; axis < weight.dim(); ++axis)
    if (axis != kept) summed.push_back(axis);
  per_axis[kept] = -1;
  const Tensor norm = at::linalg_vector_norm(weight, 2, summed, true).clamp_min(1e-30);
  return weight * (magnitude.values.to(weight.options()).view(per_axis) / norm);
}

}  // namespace

Tensor LayerChange::of_weight(const Tensor& weight) const {
  if (pieces.empty()) return {};
  Tensor change = kind->change(*this, weight);
  if (scale != 1) change = change * scale;
  return magnitude ? with_magnitude(weight + change, *magnitude) - weight : change;
}

int64_t LayerChange::outputs_a_part() const {
  if (!kind->of_outputs || (magnitude && magnitude->per_input)) return 0;
  return kind->outputs_a_part ? kind->outputs_a_part(*this) : 1;
}

Tensor LayerChange::of_outputs(const Tensor& rows, int64_t first) const {
  if (pieces.empty()) return {};
  LayerChange part = *this;
  part.pieces = kind->of_outputs(*this, first, rows.size(0));
  if (magnitude) part.magnitude->values = magnitude->values.narrow(0, first, rows.size(0));
  return part.of_weight(rows);
}

Tensor LayerChange::of_bias(const Tensor& of_layer) const { return bias.defined() ? bias.to(of_layer.options()) : Tensor(); }

bool LayerChange::needs_weight() const { return magnitude || kind->needs_weight; }

std::string LayerChange::name() const {
  if (!magnitude) return kind->name;
  return kind == &lora_kind() ? "DoRA" : fmt::format("{} with DoRA", kind->name);
}

std::string misshapen(const char* piece, const Shape& got, const std::string& expected) {
  return fmt::format("{} is {}, expected {}", piece, to_string(got), expected);
}

}  // namespace negativa
