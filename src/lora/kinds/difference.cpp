// Full differences: dW = diff; of norms `w_norm`, of biases `diff_b` and `b_norm`. LyCORIS modules/full.py and norms.py;
// ComfyUI's nodes that extract.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  const auto found = shapes.find("diff");
  if (found == shapes.end()) return {};
  const Shape expected = target.weight_shape();
  if (as_matrix(found->second) == as_matrix(expected)) return {};
  return misshapen("the difference", found->second, to_string(expected));
}

int64_t rank(const PieceShapes&) { return 0; }

Tensor change(const LayerChange& of, const Tensor& weight) { return piece(of, "diff", weight).view(weight.sizes()); }

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) { return narrowed(of, {"diff"}, 0, first, count); }

}  // namespace

const AdapterKind& difference_kind() {
  static const AdapterKind kind{.name = "difference",
                                .pieces = {"diff"},
                                .marks = {"diff"},
                                .fault = fault,
                                .rank = rank,
                                .change = change,
                                .of_outputs = of_outputs};
  return kind;
}

}  // namespace negativa
