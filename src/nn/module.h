#pragma once
// Modules are plain structs. Each names its children once, in
//   static void visit(auto& self, auto& v) { v("conv1", self.conv1); v("resnets", self.resnets); ... }
// under the diffusers key. Loading, parameter counts, LoRA targets and `model inspect` walk that one list.
#include "base/cancel.h"
#include "core/device.h"
#include "io/weights.h"

namespace negativa::nn {

struct Conv2d;
struct GroupNorm;
struct LayerNorm;
struct Linear;

// One tensor of a module: where it lives, its full key and the shape its config asks for.
struct Slot {
  std::string name;  // "down_blocks.1.attentions.0.proj_in.weight"
  Tensor* tensor;
  Shape shape;
  Tensor* scale = nullptr;  // of a weight that can be stored as int8: where its scale per output channel goes
};

// Walks a module and collects its slots and its layers with their full names.
struct Walk {
  std::vector<Slot> slots;
  std::vector<std::pair<std::string, Linear*>> linears;
  std::vector<std::pair<std::string, Conv2d*>> convolutions;
  std::vector<std::pair<std::string, GroupNorm*>> group_norms;
  std::vector<std::pair<std::string, LayerNorm*>> layer_norms;
  std::string prefix;

  void param(const std::string& name, Tensor& tensor, Shape shape, Tensor* scale = nullptr) {
    slots.push_back({prefix + name, &tensor, std::move(shape), scale});
  }

  template <class Child>
  void operator()(const std::string& name, Child& child) {
    const auto length = prefix.size();
    prefix += name + ".";
    visit_child(child);
    prefix.resize(length);
  }
  template <class Child>
  void operator()(const std::string& name, std::optional<Child>& child) {
    if (child) (*this)(name, *child);
  }
  template <class Child>
  void operator()(const std::string& name, std::vector<Child>& children) {
    for (size_t i = 0; i < children.size(); ++i) (*this)(name + "." + std::to_string(i), children[i]);
  }

 private:
  template <class Child>
  void visit_child(Child& child) {
    const auto keep = [&](auto& layers) { layers.emplace_back(prefix.substr(0, prefix.size() - 1), &child); };
    if constexpr (std::is_same_v<Child, Linear>) keep(linears);
    if constexpr (std::is_same_v<Child, Conv2d>) keep(convolutions);
    if constexpr (std::is_same_v<Child, GroupNorm>) keep(group_norms);
    if constexpr (std::is_same_v<Child, LayerNorm>) keep(layer_norms);
    Child::visit(child, *this);
  }
};

template <class Module>
Walk walk(Module& module) {
  Walk result;
  Module::visit(module, result);
  return result;
}

struct LoadOptions {
  std::optional<DType> storage;  // absent: as stored in the file; int8: weights of linear layers and convolutions, the rest fp16
  at::Device device = at::kCPU;
  bool pack_small = false;              // then pack_small()
  const CancelToken* cancel = nullptr;  // asked before each tensor
};

// Missing, extra and misshapen keys of `part` ("unet") are one listed error: ErrorKind::missing_key or shape; weights that are no
// floating-point values another: ErrorKind::file_format. Reads headers only.
void check_weights(const std::string& part, const Walk& module, const Weights& weights);

// Fills every slot from `weights`, after check_weights.
// Releases each mapped page as soon as its tensor is copied.
void load(const std::string& part, const Walk& module, const Weights& weights, const LoadOptions& options);

// Small fp32 weights on a CPU once more, as cpu_kernels.h wants them.
void pack_small(const Walk& module, const CancelToken* cancel = nullptr);
// What that takes.
int64_t packed_bytes(const Weights& weights);

int64_t parameter_count(const Walk& module);

}  // namespace negativa::nn
