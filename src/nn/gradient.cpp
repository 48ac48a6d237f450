#include "nn/gradient.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace negativa::nn {

namespace {

class Closure : public torch::autograd::Node {
 public:
  explicit Closure(Backward backward) : backward_(std::move(backward)) {}
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    check(static_cast<bool>(backward_), ErrorKind::input,
          "[gradient] this backward pass has run already; run the forward pass again");
    if (!gradients[0].defined()) return torch::autograd::variable_list(num_outputs());
    return backward_(gradients[0], [this](size_t i) { return should_compute_output(i); });
  }
  void release_variables() override { backward_ = nullptr; }
  std::string name() const override { return "negativa::nn::Closure"; }

 private:
  Backward backward_;
};

bool has_gradient(const Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); }

}  // namespace

bool wants_gradient(const Tensor& x, const Tensor& residual, const std::vector<AdapterTerm>& terms) {
  if (!c10::GradMode::is_enabled()) return false;
  if (has_gradient(x) || has_gradient(residual)) return true;
  return is_trained(terms);
}

bool is_trained(const std::vector<AdapterTerm>& terms) {
  for (const auto& term : terms)
    if (has_gradient(term.down) || has_gradient(term.up)) return true;
  return false;
}

const AdapterTerm* trained_dora(const std::vector<AdapterTerm>& terms) {
  return terms.size() == 1 && terms.front().magnitude.defined() ? &terms.front() : nullptr;
}

Tensor with_backward(Tensor result, const std::vector<Tensor>& inputs, Backward backward) {
  if (!c10::GradMode::is_enabled()) return result;
  const auto node = std::shared_ptr<Closure>(new Closure(std::move(backward)), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  torch::autograd::set_history(result, node);
  return result;
}

void backward(const Tensor& result, const Tensor& gradient) { torch::autograd::backward({result}, {gradient}); }

}  // namespace negativa::nn
