#include "train/trained_parameters.h"

namespace negativa {

const nn::Adapters& TrainedAdapters::of(const std::string& component) const {
  const auto found = components.find(component);
  return found == components.end() ? nn::Adapters::none() : found->second;
}

Tensor TrainedAdapters::leaf(const Tensor& values, const Tensor& gradient) {
  Tensor made = values.detach().requires_grad_(true);
  made.mutable_grad() = gradient;  // autograd adds to it in place
  return made;
}

}  // namespace negativa
