#include "lora/merge.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "lora/merge_weights.h"

namespace negativa {

namespace {

// What one LoRA adds to a layer.
struct Part {
  size_t lora;  // its position in the list
  std::shared_ptr<const LoraModule> module;
  double weight;

  double scale() const { return weight * module->scale(); }
};

// The sum as one product up [out,R] down [R,in], fp64.
struct Factors {
  Tensor up, down;
};

Factors stacked(const std::vector<Part>& parts) {
  std::vector<Tensor> ups, downs;
  for (const auto& part : parts) {
    ups.push_back(part.module->up.to(at::kDouble) * part.scale());
    downs.push_back(part.module->down.to(at::kDouble));
  }
  return {at::cat(ups, 1), at::cat(downs, 0)};
}

LoraModule as_module(const Tensor& up, const Tensor& down, int64_t kernel) {
  LoraModule module{down.to(at::kFloat).contiguous(), up.to(at::kFloat).contiguous(), static_cast<double>(down.size(0))};
  module.kernel = kernel;
  return module;
}

// up down = Q_up core Q_down^T with orthonormal Q: the small core has the singular values of the product.
struct Reduced {
  Tensor q_up, core, q_down;  // [out,k1], [k1,k2], [in,k2]
};

Reduced reduce(const Factors& sum) {
  const auto [q_up, r_up] = at::linalg_qr(sum.up);
  const auto [q_down, r_down] = at::linalg_qr(sum.down.t());
  return {q_up, at::mm(r_up, r_down.t()), q_down};
}

double frobenius(const Tensor& tensor) { return tensor.norm().item<double>(); }

// Each singular value's root goes to either side, so that both factors stay in the range of a half-precision file.
LoraModule truncate(const Factors& sum, int64_t rank, int64_t kernel, MergedLayer& layer) {
  const auto reduced = reduce(sum);
  const auto [u, s, vh] = at::linalg_svd(reduced.core, false);
  const int64_t kept = std::min(rank, s.size(0));
  const Tensor root = s.narrow(0, 0, kept).sqrt();
  const LoraModule module = as_module(at::mm(reduced.q_up, u.narrow(1, 0, kept) * root),
                                      at::mm(root.unsqueeze(1) * vh.narrow(0, 0, kept), reduced.q_down.t()), kernel);
  const Tensor written =
      at::mm(at::mm(reduced.q_up.t(), module.up.to(at::kDouble)), at::mm(module.down.to(at::kDouble), reduced.q_down));
  const double whole = frobenius(s);
  if (whole > 1e-12 * std::sqrt(layer.parts_energy)) {  // less is rounding of parts that cancel
    layer.error = frobenius(reduced.core - written) / whole;
    layer.best_error = frobenius(s.narrow(0, kept, s.size(0) - kept)) / whole;
  }
  return module;
}

void compare_parts(const std::vector<Part>& parts, MergedLayer& layer) {
  double together = 0;
  std::vector<double> norms;
  for (const auto& part : parts) norms.push_back(std::abs(part.weight) * delta_norm(*part.module));
  for (size_t i = 0; i < parts.size(); ++i) {
    layer.parts_energy += norms[i] * norms[i];
    for (size_t j = i + 1; j < parts.size(); ++j) {
      const double inner = parts[i].weight * parts[j].weight * delta_inner(*parts[i].module, *parts[j].module);
      together += 2 * inner;
      if (norms[i] > 0 && norms[j] > 0)
        layer.cosines.push_back({parts[i].lora, parts[j].lora, std::clamp(inner / norms[i] / norms[j], -1.0, 1.0)});
    }
  }
  layer.norm = std::sqrt(std::max(layer.parts_energy + together, 0.0));  // rounding can leave -1e-20
}

// Whether one of them does more to the layer than a LoRA.
bool has_change(const std::vector<WeightedLora>& loras, const std::string& component, const std::string& name) {
  return std::any_of(loras.begin(), loras.end(), [&](const auto& lora) {
    const auto changes = lora.file->changes.find(component);
    return changes != lora.file->changes.end() && changes->second.contains(name);
  });
}

int64_t largest_rank(const std::vector<Part>& parts) {
  int64_t rank = 0;
  for (const auto& part : parts) rank = std::max(rank, part.module->rank());
  return rank;
}

using PartsByName = std::map<std::string, std::map<std::string, std::vector<Part>>>;

// A change as a product of the rank it has: singular values below 1e-6 of the greatest are fp32's rounding.
std::shared_ptr<const LoraModule> as_product(const LayerChange& change) {
  const Tensor matrix = change.of_weight(at::zeros(change.target.weight_shape(), at::kDouble)).flatten(1);
  const auto [u, s, vh] = at::linalg_svd(matrix, false);
  const int64_t rank = std::max<int64_t>(1, at::sum(s > 1e-6 * s[0]).item<int64_t>());
  const Tensor root = s.narrow(0, 0, rank).sqrt();
  return std::make_shared<const LoraModule>(
      as_module(u.narrow(1, 0, rank) * root, root.unsqueeze(1) * vh.narrow(0, 0, rank),
                change.target.kind == LoraTarget::Kind::convolution ? change.target.kernel : 0));
}

void check_mergeable(const WeightedLora& lora, const LayerChange& change) {
  check(
      !change.needs_weight(), ErrorKind::input,
      "[lora merge] {}: {} is a {}, which changes each model in another way, so that no sum of files is its like; try lora bake",
      lora.file->path.filename().string(), change.target.name, change.name());
}

// Norms and biases have no product: their differences add up.
bool is_vector(const LayerChange& change) { return change.pieces.empty() || change.target.kind == LoraTarget::Kind::norm; }

PartsByName parts_of(const std::vector<WeightedLora>& loras) {
  PartsByName parts;
  for (size_t i = 0; i < loras.size(); ++i) {
    for (const auto& [component, modules] : loras[i].file->modules) {
      const double weight = loras[i].weight.of(component);
      for (const auto& [name, module] : modules)
        if (weight != 0) parts[component][name].push_back({i, {loras[i].file, &module}, weight});
    }
    for (const auto& [component, changes] : loras[i].file->changes) {
      const double weight = loras[i].weight.of(component);
      for (const auto& [name, change] : changes) {
        if (weight == 0) continue;
        check_mergeable(loras[i], *change);
        if (!is_vector(*change)) parts[component][name].push_back({i, as_product(*change), weight});
      }
    }
  }
  return parts;
}

void add_scaled(Tensor& sum, const Tensor& part, double weight) {
  if (part.defined()) sum = sum.defined() ? sum + part * weight : part * weight;
}

// The differences of norms and biases, weighted and summed.
LayerChanges summed_vectors(const std::vector<WeightedLora>& loras) {
  std::map<std::string, std::map<std::string, std::shared_ptr<LayerChange>>> sums;
  for (const auto& [file, weight] : loras)
    for (const auto& [component, changes] : file->changes)
      for (const auto& [name, change] : changes) {
        const bool has_vector = change->bias.defined() || is_vector(*change);
        if (weight.of(component) == 0 || !has_vector) continue;
        auto& sum = sums[component][name];
        if (!sum) {
          sum = std::make_shared<LayerChange>();
          sum->kind = &difference_kind();
          sum->target = change->target;
        }
        add_scaled(sum->bias, change->bias, weight.of(component));
        if (is_vector(*change) && !change->pieces.empty())
          add_scaled(sum->pieces["diff"], change->of_weight(at::zeros(change->target.weight_shape())), weight.of(component));
      }
  LayerChanges result;
  for (auto& [component, changes] : sums)
    for (auto& [name, change] : changes) result[component].emplace(name, std::move(change));
  return result;
}

// With concat: the rank beyond which a product of factors is no smaller than the matrix.
int64_t greatest_rank(const Factors& sum) { return std::max<int64_t>(64, std::min(sum.up.size(0), sum.down.size(1)) / 4); }

}  // namespace

double delta_inner(const LoraModule& a, const LoraModule& b) {
  const auto fp64 = [](const Tensor& tensor) { return tensor.to(at::kDouble); };
  const Tensor ups = at::mm(fp64(a.up).t(), fp64(b.up)), downs = at::mm(fp64(a.down), fp64(b.down).t());  // [r_a, r_b]
  return a.scale() * b.scale() * (ups * downs).sum().item<double>();
}

double delta_distance(const LoraModule& a, const LoraModule& b) {
  if (a.scale() == b.scale() && a.rank() == b.rank() && at::equal(a.down, b.down) && at::equal(a.up, b.up)) return 0;
  const auto borrowed = [](const LoraModule& module) {
    return std::shared_ptr<const LoraModule>(std::shared_ptr<void>(), &module);
  };
  const Factors difference = stacked({{0, borrowed(a), 1}, {1, borrowed(b), -1}});
  const double norm_b = delta_norm(b), distance = frobenius(reduce(difference).core);
  return norm_b > 0 ? distance / norm_b : distance;
}

MergedLora merge_loras(const std::vector<WeightedLora>& loras, MergeMethod method, std::optional<int64_t> rank,
                       const CancelToken& cancel) {
  MergedLora merged;
  merged.changes = summed_vectors(loras);
  for (const auto& [component, layers] : parts_of(loras)) {
    for (const auto& [name, parts] : layers) {
      cancel.throw_if_cancelled();
      auto& layer = merged.layers.emplace_back();
      layer.component = component;
      layer.module = name;
      compare_parts(parts, layer);
      const Factors sum = stacked(parts);
      layer.full_rank = sum.down.size(0);
      const int64_t kernel = parts.front().module->kernel;
      const bool all_small = layer.full_rank <= greatest_rank(sum) || !has_change(loras, component, name);
      auto module = method == MergeMethod::concat && all_small
                        ? as_module(sum.up, sum.down, kernel)
                        : truncate(sum, method == MergeMethod::svd ? rank.value_or(largest_rank(parts)) : greatest_rank(sum),
                                   kernel, layer);
      layer.rank = module.rank();
      merged.modules[component].emplace(name, std::move(module));
    }
  }
  check(!merged.modules.empty() || !merged.changes.empty(), ErrorKind::input,
        "[lora merge] every weight is 0 or every layer switched off (alpha 0), expected at least one other; there is nothing to "
        "merge");
  return merged;
}

}  // namespace negativa
