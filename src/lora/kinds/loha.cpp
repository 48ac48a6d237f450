// LoHa: dW = (w1_a w1_b) * (w2_a w2_b), elementwise. Hyeon-Woo et al. 2021, arXiv:2108.06098; LyCORIS modules/loha.py.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

std::string half_fault(const PieceShapes& shapes, const LoraTarget& target, const std::string& half) {
  const auto name = [&](const char* end) { return "hada_" + half + end; };
  const std::string a = name("_a"), b = name("_b"), core = "hada_t" + half.substr(1);
  const Shape &first = shapes.at(a), &second = shapes.at(b);
  if (const auto found = shapes.find(core); found != shapes.end()) {
    const int64_t i = first.empty() ? 0 : first[0], j = second.empty() ? 0 : second[0];
    if (i < 1 || first != Shape{i, target.out_features})
      return misshapen(a.c_str(), first, fmt::format("[rank, {}]", target.out_features));
    if (j < 1 || second != Shape{j, target.in_features})
      return misshapen(b.c_str(), second, fmt::format("[rank, {}]", target.in_features));
    const Shape expected{i, j, target.kernel, target.kernel};
    return found->second == expected ? "" : misshapen(core.c_str(), found->second, to_string(expected));
  }
  const auto left = as_matrix(first), right = as_matrix(second);
  if (left.first != target.out_features || left.second < 1)
    return misshapen(a.c_str(), first, fmt::format("[{}, rank]", target.out_features));
  if (right != std::pair{left.second, target.fan_in()})
    return misshapen(b.c_str(), second, to_string({left.second, target.fan_in()}));
  return {};
}

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which a LoHa cannot change";
  if (const auto text = missing(shapes, {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}); !text.empty()) return text;
  if (has(shapes, "hada_t1") != has(shapes, "hada_t2")) return "has one of hada_t1 and hada_t2, expected both or none";
  if (has(shapes, "hada_t1") && target.kind != LoraTarget::Kind::convolution)
    return "hada_t1 is for convolutions, and it is none";
  for (const char* half : {"w1", "w2"})
    if (const auto text = half_fault(shapes, target, half); !text.empty()) return text;
  return {};
}

int64_t rank(const PieceShapes& shapes) { return shapes.at("hada_w1_b")[0]; }

Tensor change(const LayerChange& of, const Tensor& weight) {
  const auto half = [&](const char* a, const char* b, const char* core) {
    const Tensor first = as_matrix(piece(of, a, weight)), second = as_matrix(piece(of, b, weight));
    if (has(of, core)) return tucker(piece(of, core, weight), first, second);
    return at::mm(first, second).view(weight.sizes());
  };
  return half("hada_w1_a", "hada_w1_b", "hada_t1").mul_(half("hada_w2_a", "hada_w2_b", "hada_t2"));
}

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) {
  return narrowed(of, {"hada_w1_a", "hada_w2_a"}, has(of, "hada_t1") ? 1 : 0, first, count);
}

}  // namespace

const AdapterKind& loha_kind() {
  static const AdapterKind kind{.name = "LoHa",
                                .pieces = {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"},
                                .marks = {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2"},
                                .takes_magnitude = true,
                                .fault = fault,
                                .rank = rank,
                                .change = change,
                                .of_outputs = of_outputs};
  return kind;
}

}  // namespace negativa
