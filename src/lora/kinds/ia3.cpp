// (IA)3: each output's row of the weight, or each input's column, times 1 + w. Liu et al. 2022, arXiv:2205.05638; LyCORIS
// modules/ia3.py. The bias stays.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which (IA)3 cannot change";
  if (!has(shapes, "weight")) return "has on_input but no weight";
  if (c10::multiply_integers(shapes.at("on_input")) != 1) return misshapen("on_input", shapes.at("on_input"), "one number");
  const int64_t count = c10::multiply_integers(shapes.at("weight"));
  if (count == target.in_features || count == target.out_features) return {};
  return misshapen("weight", shapes.at("weight"), fmt::format("[{}] or [{}]", target.out_features, target.in_features));
}

int64_t rank(const PieceShapes&) { return 0; }

Tensor change(const LayerChange& of, const Tensor& weight) {
  const bool on_input = of.pieces.at("on_input").item<double>() != 0;
  Shape per_axis(weight.dim(), 1);
  per_axis[on_input ? 1 : 0] = -1;
  const Tensor factors = piece(of, "weight", weight);
  check(factors.numel() == weight.size(on_input ? 1 : 0), ErrorKind::shape, "[lora] {}: (IA)3 has {} factors of its {}, expected {}",
        of.target.name, factors.numel(), on_input ? "inputs" : "outputs", weight.size(on_input ? 1 : 0));
  return weight * factors.view(per_axis);
}

}  // namespace

// `weight` alone is no mark: it ends the keys of a plain model.
const AdapterKind& ia3_kind() {
  static const AdapterKind kind{.name = "(IA)3",
                                .pieces = {"weight", "on_input"},
                                .marks = {"on_input"},
                                .needs_weight = true,
                                .fault = fault,
                                .rank = rank,
                                .change = change};
  return kind;
}

}  // namespace negativa
