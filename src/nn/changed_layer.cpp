#include "nn/changed_layer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "nn/cpu_kernels.h"

namespace negativa::nn {

namespace {

// The terms that act on the weight.
std::vector<const AdapterTerm*> changes_of(const std::vector<AdapterTerm>& terms, Products products) {
  std::vector<const AdapterTerm*> changes;
  for (const auto& term : terms)
    if (term.change || products == Products::in_weight) changes.push_back(&term);
  return changes;
}

float scale_at(const AdapterTerm& term, size_t row) {
  return term.row_scale.size() == 1 ? term.row_scale.front() : term.row_scale.at(row);
}

std::vector<float> scales_at(const std::vector<const AdapterTerm*>& terms, size_t row) {
  std::vector<float> scales;
  for (const auto* term : terms) scales.push_back(scale_at(*term, row));
  return scales;
}

DType wide(DType dtype) { return dtype == at::kDouble ? at::kDouble : at::kFloat; }

Tensor product(const AdapterTerm& term, const Tensor& weight) {
  const auto matrix = [&](const Tensor& factor) { return factor.to(weight.options()).flatten(1); };
  return at::mm(matrix(term.up), matrix(term.down)).view(weight.sizes());
}

using ChangeOf = std::function<Tensor(const AdapterTerm&)>;

Tensor with_added(const Tensor& weight, const std::vector<const AdapterTerm*>& terms, const std::vector<float>& scales,
                  const ChangeOf& change_of) {
  Tensor changed;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (scales[i] == 0) continue;
    const Tensor change = change_of(*terms[i]);
    if (!change.defined()) continue;
    if (changed.defined())
      changed.add_(change, scales[i]);
    else
      changed = at::add(weight, change, scales[i]);
  }
  return changed.defined() ? changed : weight.clone();
}

Tensor changed_bias(const Tensor& bias, const std::vector<const AdapterTerm*>& terms, const std::vector<float>& scales) {
  return with_added(bias, terms, scales,
                    [&](const AdapterTerm& term) { return term.change ? term.change->of_bias(bias) : Tensor(); });
}

// The weight's rows from `first` on.
template <class Layer>
Tensor wide_rows(const Layer& layer, int64_t first, int64_t count) {
  Tensor weight = layer.weight.narrow(0, first, count).to(wide(layer.weight.scalar_type()));
  if constexpr (requires { layer.weight_scale; })
    if (layer.weight_scale.defined()) {
      Shape per_row(weight.dim(), 1);
      per_row[0] = -1;
      weight = weight * layer.weight_scale.narrow(0, first, count).to(weight.options()).view(per_row);
    }
  return weight;
}

template <class Layer>
bool has_packed(const Layer& layer) {
  return layer.packed.defined() && layer.weight.scalar_type() == at::kFloat;
}

void pack(Linear& layer) { layer.packed = has_packed(layer) ? cpu::pack_linear(layer.weight) : Tensor(); }
void pack(Conv2d& layer) {
  layer.weight = layer.weight.contiguous(at::MemoryFormat::ChannelsLast);
  layer.packed = has_packed(layer) ? cpu::pack_conv(layer.weight, layer.shape()) : Tensor();
}
void pack(GroupNorm&) {}
void pack(LayerNorm&) {}

template <class Layer>
bool is_small(const Layer& layer) {
  if constexpr (requires { layer.packed; }) return layer.packed.defined();
  return true;  // a norm
}

// A wide weight is changed in parts that stay in the cache: as a whole, each of the steps that make it would go through memory.
constexpr int64_t numbers_a_part = int64_t{1} << 17;

// Outputs of the layer whose weights are made at a time.
template <class Layer>
int64_t outputs_a_part(const Layer& layer, const std::vector<const AdapterTerm*>& terms) {
  const int64_t outputs = layer.weight.size(0);
  if (is_small(layer) || !layer.weight.is_cpu()) return outputs;
  int64_t unit = 1;
  for (const auto* term : terms) {
    const int64_t mine = term->change ? term->change->outputs_a_part() : 0;
    if (mine == 0 || (mine != 1 && unit != 1 && mine != unit)) return outputs;
    unit = std::max(unit, mine);
  }
  const int64_t units = std::max(int64_t{1}, numbers_a_part * outputs / (layer.weight.numel() * unit));
  return std::min(outputs, units * unit);
}

template <class Layer>
Tensor changed_weight(const Layer& layer, const std::vector<const AdapterTerm*>& terms, const std::vector<float>& scales,
                      const Tensor& x, ChangedLayers& kept) {
  const int64_t outputs = layer.weight.size(0), part = outputs_a_part(layer, terms);
  if (part == outputs) {
    const Tensor weight = wide_rows(layer, 0, outputs);
    const auto change_of = [&](const AdapterTerm& term) {
      return term.change ? term.change->of_weight(weight) : product(term, weight);
    };
    return with_added(weight, terms, scales, change_of).to(x.options());
  }
  Tensor changed = kept.memory_like(layer.weight, x);
  const bool inference = c10::InferenceMode::is_enabled();  // of this thread, and of no other
  at::parallel_for(0, (outputs + part - 1) / part, 1, [&](int64_t begin, int64_t end) {
    const c10::InferenceMode mode(inference);
    for (int64_t first = begin * part; first < std::min(end * part, outputs); first += part) {
      const int64_t count = std::min(part, outputs - first);
      const Tensor rows = wide_rows(layer, first, count);
      changed.narrow(0, first, count).copy_(with_added(rows, terms, scales, [&](const AdapterTerm& term) {
        return term.change->of_outputs(rows, first);
      }));
    }
  });
  return changed;
}

template <class Layer>
Layer changed(const Layer& layer, const std::vector<const AdapterTerm*>& terms, const std::vector<float>& scales, const Tensor& x,
              ChangedLayers& kept) {
  Layer result = layer;
  result.weight = changed_weight(layer, terms, scales, x, kept);
  if constexpr (requires { layer.weight_scale; }) result.weight_scale = Tensor();
  if (layer.bias.defined())
    result.bias = changed_bias(layer.bias.to(wide(layer.bias.scalar_type())), terms, scales).to(x.options());
  pack(result);
  return result;
}

std::atomic<int64_t> kept_bytes = 0;  // of wide layers, by all ChangedLayers

std::string key_of(const std::string& name, const std::vector<float>& scales, const Tensor& x) {
  std::string key = name + fmt::format(" {} ", static_cast<int>(x.scalar_type()));
  key.append(reinterpret_cast<const char*>(scales.data()), scales.size() * sizeof(float));
  return key;
}

// The layer of rows with these scales: itself where all are 0.
template <class Layer, class Forward>
Tensor forward_with(const Layer& layer, const Adapters& adapters, const std::vector<const AdapterTerm*>& terms,
                    const std::vector<float>& scales, const Tensor& x, const Forward& forward) {
  if (std::all_of(scales.begin(), scales.end(), [](float scale) { return scale == 0; })) return forward(layer);
  const auto key = key_of(layer.name, scales, x);
  if (const auto kept = adapters.changed()->find(key, layer.weight); kept.has_value())
    return forward(*std::any_cast<std::shared_ptr<const Layer>>(kept));
  const auto made = std::make_shared<const Layer>(changed(layer, terms, scales, x, *adapters.changed()));
  adapters.changed()->keep(key, layer.weight, made, is_small(layer) ? 0 : static_cast<int64_t>(made->weight.nbytes()));
  return forward(*made);
}

}  // namespace

ChangedLayers::~ChangedLayers() { kept_bytes -= bytes_; }

std::any ChangedLayers::find(const std::string& key, const Tensor& weight) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.made_of._unsafe_get_target() != weight.unsafeGetTensorImpl() ||
      found->second.made_of.expired())
    return {};
  return found->second.layer;
}

Tensor ChangedLayers::memory_like(const Tensor& weight, const Tensor& x) {
  const std::lock_guard lock(mutex_);
  const bool will_be_kept = kept_bytes + weight.numel() * x.element_size() <= limit_;
  const bool is_held = spare_.defined() && spare_.storage().use_count() > 1;
  if (will_be_kept || is_held || !weight.is_non_overlapping_and_dense()) return at::empty_like(weight, x.options());
  if (!spare_.defined() || spare_.scalar_type() != x.scalar_type() || spare_.numel() < weight.numel())
    spare_ = at::empty({weight.numel()}, x.options());
  return spare_.as_strided(weight.sizes(), weight.strides());
}

void ChangedLayers::keep(const std::string& key, const Tensor& weight, std::any layer, int64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (bytes > 0 && kept_bytes.fetch_add(bytes) + bytes > limit_) {
    kept_bytes -= bytes;
    return;
  }
  const auto [entry, is_new] =
      entries_.insert_or_assign(key, Entry{decltype(Entry::made_of)(weight.getIntrusivePtr()), std::move(layer)});
  if (is_new)
    bytes_ += bytes;
  else
    kept_bytes -= bytes;  // it takes the place of one that was counted
}

ChangedBytes changed_bytes(const Adapters& adapters, const std::map<std::string, Shape>& weights, int64_t element_bytes) {
  ChangedBytes bytes;
  for (const auto& [name, terms] : adapters.layers()) {
    const auto weight = weights.find(name + ".weight");
    const bool is_changed = std::any_of(terms.begin(), terms.end(), [](const auto& term) { return term.change != nullptr; });
    if (weight == weights.end()) continue;
    const int64_t elements = c10::multiply_integers(weight->second);
    const bool takes_products = elements <= (weight->second.size() == 4 ? small_weight : small_linear);
    if (!is_changed && !takes_products) continue;
    if (cpu::worth_packing(at::empty(weight->second, at::kMeta)))
      bytes.small += 2 * elements * element_bytes;  // the weight, and as the kernels read it
    else {
      bytes.wide += elements * element_bytes;
      bytes.widest = std::max(bytes.widest, elements * element_bytes);
    }
  }
  return bytes;
}

bool is_uniform(const std::vector<float>& scale) {
  return std::adjacent_find(scale.begin(), scale.end(), std::not_equal_to<>()) == scale.end();
}

void check_rows(const std::vector<float>& scale, const Tensor& x) {
  check(static_cast<int64_t>(scale.size()) == x.size(0), ErrorKind::shape, "[adapters] got {} row scales, expected {} batch rows",
        scale.size(), x.size(0));
}

template <class Layer>
Tensor with_changes(const Layer& layer, const Tensor& x, const Adapters& adapters, Products products,
                    const LayerForward<Layer>& forward) {
  const auto terms = changes_of(adapters.at(layer.name), products);
  if (terms.empty()) return forward(layer, {});
  const bool alike = std::all_of(terms.begin(), terms.end(), [](const auto* term) { return is_uniform(term->row_scale); });
  if (alike)
    return forward_with(layer, adapters, terms, scales_at(terms, 0), x, [&](const Layer& mine) { return forward(mine, {}); });
  std::vector<Tensor> parts;
  for (const auto* term : terms)
    if (term->row_scale.size() > 1) check_rows(term->row_scale, x);
  for (int64_t row = 0; row < x.size(0); ++row)
    parts.push_back(forward_with(layer, adapters, terms, scales_at(terms, static_cast<size_t>(row)), x, [&](const Layer& mine) {
      return forward(mine, {row, 1});
    }));
  return at::cat(parts);
}

#define NEGATIVA_WITH_CHANGES(Layer) \
  template Tensor with_changes(const Layer&, const Tensor&, const Adapters&, Products, const LayerForward<Layer>&);
NEGATIVA_WITH_CHANGES(Linear)
NEGATIVA_WITH_CHANGES(Conv2d)
NEGATIVA_WITH_CHANGES(GroupNorm)
NEGATIVA_WITH_CHANGES(LayerNorm)
#undef NEGATIVA_WITH_CHANGES

}  // namespace negativa::nn
