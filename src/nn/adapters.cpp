#include "nn/adapters.h"

#include "nn/changed_layer.h"

namespace negativa::nn {

Adapters::Adapters(int64_t kept_bytes) : changed_(std::make_shared<ChangedLayers>(kept_bytes)) {}

void Adapters::add(const std::string& layer, AdapterTerm term) {
  if (!changed_) changed_ = std::make_shared<ChangedLayers>();
  layers_[layer].push_back(std::move(term));
}

const std::vector<AdapterTerm>& Adapters::at(const std::string& layer) const {
  static const std::vector<AdapterTerm> nothing;
  if (layers_.empty()) return nothing;
  const auto found = layers_.find(layer);
  return found == layers_.end() ? nothing : found->second;
}

Adapters Adapters::rows(const std::vector<int>& indices) const {
  Adapters chosen;
  chosen.changed_ = changed_;
  for (const auto& [layer, terms] : layers_) {
    for (const auto& term : terms) {
      AdapterTerm kept{term.down, term.up, {}, term.change, term.magnitude};
      if (term.row_scale.size() == 1)
        kept.row_scale = term.row_scale;
      else
        for (const int row : indices) kept.row_scale.push_back(term.row_scale.at(row));
      chosen.add(layer, std::move(kept));
    }
  }
  return chosen;
}

Adapters Adapters::of(const std::vector<std::string>& layers) const {
  Adapters chosen;
  chosen.changed_ = changed_;
  for (const auto& layer : layers)
    if (const auto found = layers_.find(layer); found != layers_.end()) chosen.layers_.insert(*found);
  return chosen;
}

const Adapters& Adapters::none() {
  static const Adapters empty;
  return empty;
}

}  // namespace negativa::nn
