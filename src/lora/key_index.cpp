#include "lora/key_index.h"

#include <algorithm>

namespace negativa {

namespace {

// Those that trainers spell in several ways, and each kind's own.
std::vector<AdapterSuffix> all_suffixes() {
  static const std::vector<std::string> own = [] {
    std::vector<std::string> texts;
    for (const auto* kind : adapter_kinds())
      for (const auto& piece : kind->pieces) texts.push_back("." + piece);
    return texts;
  }();
  auto suffixes = adapter_suffixes();
  for (const auto& text : own)
    if (std::none_of(suffixes.begin(), suffixes.end(), [&](const auto& known) { return known.text == text; }))
      suffixes.push_back({text.c_str(), text.c_str() + 1});
  return suffixes;
}

// The place of all keys of one stem: where their shapes fit, else the first.
size_t best_place(const std::vector<LayerPieces>& choices) {
  for (size_t i = 0; i < choices.size(); ++i)
    if (choices[i].kind() && choices[i].fault().empty()) return i;
  return 0;
}

// One layer under one of its names.
struct Stem {
  std::vector<LayerPieces> choices;
  LoraDialect dialect = LoraDialect::diffusers;
  bool is_sgm = false;
  int keys = 0;
};

using Stems = std::map<std::string, Stem>;

void add_piece(LayerPieces& layer, const std::string& piece, const TensorEntry& entry) {
  if (!layer.entries.emplace(piece, &entry).second) layer.again.push_back(&entry);
}

void add_key(Stems& stems, const std::vector<LoraPlace>& places, const TensorEntry& entry) {
  const auto& first = places.front();
  Stem& stem = stems[first.stem];
  ++stem.keys;
  stem.dialect = first.dialect;
  stem.is_sgm = first.is_sgm;
  if (stem.choices.empty())
    for (const auto& place : places) stem.choices.push_back({place.component, place.target, {}, {}});
  for (auto& choice : stem.choices) add_piece(choice, first.piece, entry);
}

bool share_a_piece(const LayerPieces& a, const LayerPieces& b) {
  return std::any_of(a.entries.begin(), a.entries.end(), [&](const auto& piece) { return b.entries.contains(piece.first); });
}

struct Found {
  LayerPieces pieces;
  bool is_sgm;
};

// A layer that is named in several ways: its tensors may lie apart; what is there twice counts once, under diffusers' name.
void join(std::vector<Found>& names, SortedKeys& sorted) {
  std::stable_sort(names.begin(), names.end(), [](const Found& a, const Found& b) { return a.is_sgm < b.is_sgm; });
  LayerPieces layer = std::move(names.front().pieces);
  const bool has_diffusers = !names.front().is_sgm;
  for (size_t i = 1; i < names.size(); ++i) {
    if (names[i].is_sgm && has_diffusers && share_a_piece(layer, names[i].pieces)) {
      sorted.superseded.push_back(layer.component + " " + layer.target->name);
      continue;
    }
    for (const auto& [piece, entry] : names[i].pieces.entries) add_piece(layer, piece, *entry);
    layer.again.insert(layer.again.end(), names[i].pieces.again.begin(), names[i].pieces.again.end());
  }
  sorted.layers.push_back(std::move(layer));
}

// Tensors that no kind claims are no layer's, but for DoRA's magnitudes, which are never to be lost.
bool is_claimed(const LayerPieces& layer) { return !layer.kind_names().empty() || layer.has("diff_b"); }

}  // namespace

Shape matrix_shape(const Shape& shape) {
  if (shape.size() == 4 && shape[2] == 1 && shape[3] == 1) return {shape[0], shape[1]};
  return shape;
}

LoraKeyIndex::LoraKeyIndex(const LoraTargets& targets) : suffixes_(all_suffixes()) {
  const LayerNames names(targets.layout);
  for (const auto& [component, layers] : targets.components)
    for (const auto& layer : layers)
      for (const auto& name : names.of(component, layer.name)) layers_[name.text].push_back({&component, &layer, name.is_sgm});
}

std::vector<LoraPlace> LoraKeyIndex::find(const std::string& given) const {
  const std::string key = without_adapter_name(given);
  std::vector<LoraPlace> places;
  for (const auto& suffix : suffixes_) {
    if (!key.ends_with(suffix.text)) continue;
    const std::string stem = key.substr(0, key.size() - std::string_view(suffix.text).size());
    for (const auto& prefix : adapter_prefixes()) {
      if (!stem.starts_with(prefix.text)) continue;
      const auto found = layers_.find(stem.substr(std::string_view(prefix.text).size()));
      if (found == layers_.end()) continue;
      for (const auto& [component, target, is_sgm] : found->second)
        if (!prefix.component || *component == prefix.component)
          places.push_back({*component, target, suffix.piece, stem, prefix.dialect, is_sgm});
    }
    if (!places.empty()) return places;
  }
  return places;
}

PieceShapes LayerPieces::shapes() const {
  PieceShapes shapes;
  for (const auto& [piece, entry] : entries) shapes.emplace(piece, entry->shape);
  return shapes;
}

std::vector<std::string> LayerPieces::kind_names() const {
  std::vector<std::string> names;
  for (const auto* kind : adapter_kinds())
    if (std::any_of(kind->marks.begin(), kind->marks.end(), [&](const auto& mark) { return entries.contains(mark); }))
      names.push_back(kind->name);
  return names;
}

const AdapterKind* LayerPieces::kind() const {
  const auto names = kind_names();
  if (names.size() > 1) return nullptr;
  if (names.empty()) return has("diff_b") ? &difference_kind() : nullptr;
  for (const auto* kind : adapter_kinds())
    if (names.front() == kind->name) return kind;
  return nullptr;
}

std::string LayerPieces::fault() const {
  const auto names = kind_names();
  if (names.size() > 1) return fmt::format("is both a {} and a {}", names[0], names[1]);
  const auto* known = kind();
  if (!known) return "has no tensors of a known kind";
  const auto all = shapes();
  if (auto text = known->fault(all, *target); !text.empty()) return text;
  for (const char* number : {"alpha", "scalar"})
    if (const auto found = all.find(number); found != all.end() && c10::multiply_integers(found->second) != 1)
      return misshapen(number, found->second, "one number");
  if (const auto found = all.find("diff_b"); found != all.end()) {
    if (!target->has_bias) return "has a difference of its bias, but no bias";
    if (found->second != Shape{target->out_features})
      return misshapen("the bias's difference", found->second, to_string({target->out_features}));
  }
  return {};
}

SortedKeys sort_keys(const TensorFile& file, const LoraKeyIndex& index) {
  SortedKeys sorted;
  Stems stems;
  for (const auto& entry : file.entries()) {
    const auto places = index.find(entry.name);
    if (places.empty())
      sorted.unfit.push_back(&entry);
    else
      add_key(stems, places, entry);
  }
  std::map<std::pair<std::string, std::string>, std::vector<Found>> layers;
  for (auto& [name, stem] : stems) {
    LayerPieces& layer = stem.choices[best_place(stem.choices)];
    sorted.dialects[stem.dialect] += stem.keys;
    layers[{layer.component, layer.target->name}].push_back({std::move(layer), stem.is_sgm});
  }
  for (auto& [name, names] : layers) join(names, sorted);
  const auto claimed = std::stable_partition(sorted.layers.begin(), sorted.layers.end(), is_claimed);
  for (auto layer = claimed; layer != sorted.layers.end(); ++layer)
    for (const auto& [piece, entry] : layer->entries) sorted.unfit.push_back(entry);
  sorted.layers.erase(claimed, sorted.layers.end());
  for (const auto& layer : sorted.layers) sorted.matched[layer.component] += static_cast<int>(layer.entries.size());
  return sorted;
}

int64_t count_unfit_keys(const TensorFile& file, const LoraKeyIndex& index) {
  const auto sorted = sort_keys(file, index);
  int64_t unfit = static_cast<int64_t>(sorted.unfit.size());
  for (const auto& layer : sorted.layers)
    if (!layer.fault().empty()) unfit += static_cast<int64_t>(layer.entries.size());
  return unfit;
}

std::optional<LoraKeyParts> lora_key_parts(const std::string& key) {
  struct Suffix {
    const char* text;
    LoraSide side;
    LoraDialect dialect;
  };
  static constexpr Suffix suffixes[] = {
      {".lora_down.weight", LoraSide::down, LoraDialect::kohya},
      {".lora_up.weight", LoraSide::up, LoraDialect::kohya},
      {".alpha", LoraSide::alpha, LoraDialect::kohya},
      {".lora_A.weight", LoraSide::down, LoraDialect::peft},
      {".lora_B.weight", LoraSide::up, LoraDialect::peft},
      {".lora.down.weight", LoraSide::down, LoraDialect::diffusers},
      {".lora.up.weight", LoraSide::up, LoraDialect::diffusers},
      {".lora_linear_layer.down.weight", LoraSide::down, LoraDialect::diffusers},
      {".lora_linear_layer.up.weight", LoraSide::up, LoraDialect::diffusers},
      {"_lora.down.weight", LoraSide::down, LoraDialect::diffusers},
      {"_lora.up.weight", LoraSide::up, LoraDialect::diffusers},
  };
  const auto plain = without_adapter_name(key);
  for (const auto& suffix : suffixes)
    if (plain.ends_with(suffix.text))
      return LoraKeyParts{plain.substr(0, plain.size() - std::string_view(suffix.text).size()), suffix.side, suffix.dialect};
  return {};
}

}  // namespace negativa
