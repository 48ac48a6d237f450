// GLoRA: dW = W a1 a2 + b1 b2. Chavan et al. 2023, arXiv:2306.07967; LyCORIS modules/glora.py.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which a GLoRA cannot change";
  if (const auto text = missing(shapes, {"a1.weight", "a2.weight", "b1.weight", "b2.weight"}); !text.empty()) return text;
  const int64_t rank = as_matrix(shapes.at("a2.weight")).first;
  if (rank < 1) return misshapen("a2.weight", shapes.at("a2.weight"), fmt::format("[rank, {}]", target.in_features));
  const bool has_core = has(shapes, "bm.weight");
  const std::pair<const char*, std::pair<int64_t, int64_t>> expected[] = {
      {"a1.weight", {target.in_features, rank}},
      {"a2.weight", {rank, target.in_features}},
      {"b1.weight", {target.out_features, rank}},
      {"b2.weight", {rank, has_core ? target.in_features : target.fan_in()}}};
  for (const auto& [name, shape] : expected)
    if (as_matrix(shapes.at(name)) != shape) return misshapen(name, shapes.at(name), to_string({shape.first, shape.second}));
  const Shape core{rank, rank, target.kernel, target.kernel};
  if (has_core && shapes.at("bm.weight") != core) return misshapen("bm.weight", shapes.at("bm.weight"), to_string(core));
  return {};
}

int64_t rank(const PieceShapes& shapes) { return as_matrix(shapes.at("a2.weight")).first; }

Tensor change(const LayerChange& of, const Tensor& weight) {
  const auto part = [&](const char* name) { return as_matrix(piece(of, name, weight)); };
  const Tensor b1 = part("b1.weight"), b2 = part("b2.weight");
  const Tensor added =
      has(of, "bm.weight") ? tucker(piece(of, "bm.weight", weight), b1.t(), b2) : at::mm(b1, b2).view(weight.sizes());
  const Tensor mixed = at::mm(part("a1.weight"), part("a2.weight"));
  return added + at::tensordot(weight, mixed, {1}, {0}).movedim(-1, 1);
}

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) { return narrowed(of, {"b1.weight"}, 0, first, count); }

}  // namespace

const AdapterKind& glora_kind() {
  static const AdapterKind kind{.name = "GLoRA",
                                .pieces = {"a1.weight", "a2.weight", "b1.weight", "b2.weight", "bm.weight"},
                                .marks = {"a1.weight", "a2.weight", "b1.weight", "b2.weight"},
                                .needs_weight = true,
                                .fault = fault,
                                .rank = rank,
                                .change = change,
                                .of_outputs = of_outputs};
  return kind;
}

}  // namespace negativa
