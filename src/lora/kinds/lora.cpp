// LoRA: Hu et al. 2021, arXiv:2106.09685. Of convolutions LoCon, with `lora_mid` in Tucker form (LyCORIS modules/locon.py).
// dW = up down, or up mid down. Plain ones are kept as LoraModule; this is what stands below a DoRA.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

std::string tucker_fault(const PieceShapes& shapes, const LoraTarget& target) {
  const auto [outer, inner] = as_matrix(shapes.at("lora_down"));
  const Shape& mid = shapes.at("lora_mid");
  const Shape expected{as_matrix(shapes.at("lora_up")).second, outer, target.kernel, target.kernel};
  if (target.kind != LoraTarget::Kind::convolution) return "lora_mid is for convolutions, and it is none";
  if (inner != target.in_features)
    return misshapen("down", shapes.at("lora_down"), fmt::format("[rank, {}, 1, 1]", target.in_features));
  return mid == expected ? "" : misshapen("lora_mid", mid, to_string(expected));
}

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which a LoRA cannot change";
  if (!has(shapes, "lora_up")) return "has a down matrix but no up matrix";
  if (!has(shapes, "lora_down")) return "has an up matrix but no down matrix";
  const auto down = as_matrix(shapes.at("lora_down")), up = as_matrix(shapes.at("lora_up"));
  if (has(shapes, "lora_mid")) {
    if (const auto text = tucker_fault(shapes, target); !text.empty()) return text;
  } else if (down.second != target.fan_in() || down.first < 1) {
    const auto expected = target.kernel == 1
                              ? fmt::format("[rank, {}]", target.in_features)
                              : fmt::format("[rank, {}, {}, {}]", target.in_features, target.kernel, target.kernel);
    return misshapen("down", shapes.at("lora_down"), expected);
  }
  if (up.first != target.out_features || up.second < 1)
    return misshapen("up", shapes.at("lora_up"), to_string({target.out_features, down.first}));
  if (!has(shapes, "lora_mid") && up.second != down.first)
    return fmt::format("down has rank {}, up has rank {}", down.first, up.second);
  return {};
}

int64_t rank(const PieceShapes& shapes) { return as_matrix(shapes.at("lora_up")).second; }

Tensor change(const LayerChange& of, const Tensor& weight) {
  const Tensor up = as_matrix(piece(of, "lora_up", weight)), down = as_matrix(piece(of, "lora_down", weight));
  if (has(of, "lora_mid")) return tucker(piece(of, "lora_mid", weight), up.t(), down);
  return at::mm(up, down).view(weight.sizes());
}

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) { return narrowed(of, {"lora_up"}, 0, first, count); }

}  // namespace

const AdapterKind& lora_kind() {
  static const AdapterKind kind{.name = "LoRA",
                                .pieces = {"lora_down", "lora_up", "lora_mid"},
                                .marks = {"lora_down", "lora_up", "lora_mid"},
                                .takes_magnitude = true,
                                .fault = fault,
                                .rank = rank,
                                .change = change,
                                .of_outputs = of_outputs};
  return kind;
}

}  // namespace negativa
