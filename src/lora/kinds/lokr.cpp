// LoKr: dW = w1 (x) w2, Kronecker's product, either half whole or of two factors. Yeh et al. 2023, arXiv:2309.14859; LyCORIS
// modules/lokr.py. With both halves whole the scale is 1, whatever alpha.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

// [rows, columns] of a half, or why it is none. The second half holds the kernel.
struct Half {
  int64_t rows = 0, columns = 0;
  std::string fault;
};

Half misfit(const std::string& name, const Shape& got, const std::string& expected) {
  return {0, 0, misshapen(name.c_str(), got, expected)};
}

Half tucker_half(const PieceShapes& shapes, int64_t kernel) {
  const Shape &a = shapes.at("lokr_w2_a"), &b = shapes.at("lokr_w2_b"), &core = shapes.at("lokr_t2");
  if (a.size() != 2 || a[0] < 1) return misfit("lokr_w2_a", a, "[rank, rows]");
  if (b.size() != 2 || b[0] < 1) return misfit("lokr_w2_b", b, "[rank, columns]");
  const Shape expected{a[0], b[0], kernel, kernel};
  if (core != expected) return misfit("lokr_t2", core, to_string(expected));
  return {a[1], b[1], {}};
}

Half half_of(const PieceShapes& shapes, const std::string& name, int64_t kernel) {
  const std::string a = name + "_a", b = name + "_b";
  if (shapes.contains(name) == (shapes.contains(a) || shapes.contains(b)))
    return {0, 0, fmt::format("has {} {} and {}", shapes.contains(name) ? "both" : "neither", name, a)};
  const int64_t pixels = kernel * kernel;
  if (const auto whole = shapes.find(name); whole != shapes.end()) {
    const auto [rows, columns] = as_matrix(whole->second);
    if (columns < 1 || columns % pixels != 0) return misfit(name, whole->second, "a matrix for this layer's kernel");
    return {rows, columns / pixels, {}};
  }
  if (!shapes.contains(a) || !shapes.contains(b)) return {0, 0, fmt::format("has one of {} and {}, expected both", a, b)};
  const auto left = as_matrix(shapes.at(a)), right = as_matrix(shapes.at(b));
  if (left.second != right.first || left.second < 1 || right.second % pixels != 0)
    return misfit(b, shapes.at(b), fmt::format("[{}, columns]", left.second));
  return {left.first, right.second / pixels, {}};
}

std::string fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which a LoKr cannot change";
  const Half first = half_of(shapes, "lokr_w1", 1);
  if (!first.fault.empty()) return first.fault;
  const bool has_core = has(shapes, "lokr_t2");
  if (has_core && (!has(shapes, "lokr_w2_a") || !has(shapes, "lokr_w2_b") || has(shapes, "lokr_w2")))
    return "has lokr_t2, which needs lokr_w2_a and lokr_w2_b";
  const Half second = has_core ? tucker_half(shapes, target.kernel) : half_of(shapes, "lokr_w2", target.kernel);
  if (!second.fault.empty()) return second.fault;
  const Shape got{first.rows * second.rows, first.columns * second.columns}, expected{target.out_features, target.in_features};
  return got == expected ? "" : misshapen("the product", got, to_string(expected));
}

int64_t rank(const PieceShapes& shapes) {
  if (has(shapes, "lokr_w1_b")) return shapes.at("lokr_w1_b")[0];
  return has(shapes, "lokr_w2_b") ? shapes.at("lokr_w2_b")[0] : 0;
}

Tensor change(const LayerChange& of, const Tensor& weight) {
  const auto part = [&](const char* name) { return as_matrix(piece(of, name, weight)); };
  const Tensor first = has(of, "lokr_w1") ? part("lokr_w1") : at::mm(part("lokr_w1_a"), part("lokr_w1_b"));
  Tensor second;
  if (has(of, "lokr_t2"))
    second = tucker(piece(of, "lokr_t2", weight), part("lokr_w2_a"), part("lokr_w2_b")).flatten(1);
  else
    second = has(of, "lokr_w2") ? part("lokr_w2") : at::mm(part("lokr_w2_a"), part("lokr_w2_b"));
  // [a, c] and [b, d k k] -> [a b, c d k k]
  const int64_t rows = first.size(0) * second.size(0);
  return (first.view({first.size(0), 1, first.size(1), 1}) * second.view({1, second.size(0), 1, second.size(1)}))
      .reshape({rows, -1})
      .view(weight.sizes());
}

// Outputs are all those of the second factor for each of the first's.
int64_t outputs_a_part(const LayerChange& of) {
  if (has(of, "lokr_w2")) return of.pieces.at("lokr_w2").size(0);
  return of.pieces.at("lokr_w2_a").size(has(of, "lokr_t2") ? 1 : 0);
}

Pieces of_outputs(const LayerChange& of, int64_t first, int64_t count) {
  const int64_t part = outputs_a_part(of);
  return narrowed(of, {"lokr_w1", "lokr_w1_a"}, 0, first / part, count / part);
}

}  // namespace

const AdapterKind& lokr_kind() {
  static const std::vector<std::string> pieces = {"lokr_w1",   "lokr_w1_a", "lokr_w1_b", "lokr_w2",
                                                  "lokr_w2_a", "lokr_w2_b", "lokr_t2"};
  static const AdapterKind kind{.name = "LoKr",
                                .pieces = pieces,
                                .marks = pieces,
                                .takes_magnitude = true,
                                .fault = fault,
                                .rank = rank,
                                .change = change,
                                .of_outputs = of_outputs,
                                .outputs_a_part = outputs_a_part};
  return kind;
}

}  // namespace negativa
