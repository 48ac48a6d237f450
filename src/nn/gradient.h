#pragma once
// Gradients of layers whose weights are frozen. Stock autograd keeps every tensor a formula mentions: inputs of frozen
// convolutions, and the fp32 copy of each int8 or bf16 weight. Here a layer computes its result without a graph and says itself
// how a gradient goes back and what that needs.
#include <c10/core/GradMode.h>

#include <functional>

#include "nn/adapters.h"

namespace negativa::nn {

// Whether a result of these inputs has to carry a gradient. Undefined tensors count as none.
bool wants_gradient(const Tensor& x, const Tensor& residual = {}, const std::vector<AdapterTerm>& terms = {});

// Whether an adapter of these is being trained, gradients wanted just now or not.
bool is_trained(const std::vector<AdapterTerm>& terms);
// The trained DoRA that acts on a layer; nullptr: none.
const AdapterTerm* trained_dora(const std::vector<AdapterTerm>& terms);

// Gradient of the result -> one gradient an input, in their order; undefined: none. needed(i): whether input i wants one.
using Needed = std::function<bool(size_t)>;
using Backward = std::function<std::vector<Tensor>(const Tensor& gradient, const Needed& needed)>;

// `result`, computed without a graph, becomes a function of `inputs` with that backward. What `backward` captures is what is kept
// until then. Without gradients (c10::GradMode) `result` stays as it is.
Tensor with_backward(Tensor result, const std::vector<Tensor>& inputs, Backward backward);

template <class Compute>
auto without_graph(const Compute& compute) {
  const c10::NoGradGuard no_graph;
  return compute();
}

// Runs the backward pass of a scalar, or of a result whose gradient is given; gradients are added to the leaves' .grad().
void backward(const Tensor& result, const Tensor& gradient = {});

}  // namespace negativa::nn
