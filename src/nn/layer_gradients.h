#pragma once
// The layers of layers.h where a gradient has to pass: same results, each with what its backward pass keeps chosen by hand.
// Weights are frozen; of an adapter the first factor `down` and the second, `up`, get gradients.
#include <functional>

#include "nn/layers.h"

namespace negativa::nn {

// Keeps x and down x (rank wide) where an adapter is trained, of a DoRA W' x / |W'| too; nothing for a plain layer.
Tensor linear_with_gradient(const Linear& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual);
// layer(body(inputs)) + residual. With adapters.gradient_checkpointing only `inputs` are kept: body runs again when the gradient
// comes, the layer does not, since its result is needed for nothing then (Chen et al. 2016, arXiv:1604.06174). Gradients of other
// leaves that body uses are added to their .grad().
using Body = std::function<Tensor(const std::vector<Tensor>&)>;
Tensor checkpointed_linear(const Linear& layer, const std::vector<Tensor>& inputs, const Body& body, const Adapters& adapters,
                           const Tensor& residual);
// Keeps nothing but sizes of a plain layer; where an adapter is trained x and down x, of a DoRA the map that its magnitudes
// scale.
Tensor conv2d_with_gradient(const Conv2d& layer, const Tensor& x, const std::vector<AdapterTerm>& terms, const Tensor& residual);
// Keep x alone; what the activation needs is computed again. Adapters of norms are not trained.
Tensor group_norm_with_gradient(const GroupNorm& layer, const Tensor& x, const Adapters& adapters, bool silu);
Tensor geglu_with_gradient(const Tensor& x);

}  // namespace negativa::nn
