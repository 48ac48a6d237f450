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

bool is_on_input(const LayerChange& of) { return of.pieces.at("on_input").item<double>() != 0; }

std::string value_fault(const LayerChange& of) {
  const bool on_input = is_on_input(of);
  const int64_t got = of.pieces.at("weight").numel(), expected = on_input ? of.target.in_features : of.target.out_features;
  if (got == expected) return {};
  return fmt::format("weight has {} factors of its {}, expected {}", got, on_input ? "inputs" : "outputs", expected);
}

Tensor change(const LayerChange& of, const Tensor& weight) {
  Shape per_axis(weight.dim(), 1);
  per_axis[is_on_input(of) ? 1 : 0] = -1;
  return weight * piece(of, "weight", weight).view(per_axis);
}

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) {
  Pieces pieces = of.pieces;
  if (!is_on_input(of)) pieces.at("weight") = pieces.at("weight").flatten().narrow(0, first, count);
  return pieces;
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
                                .change = change,
                                .of_outputs = of_outputs,
                                .value_fault = value_fault};
  return kind;
}

}  // namespace negativa
