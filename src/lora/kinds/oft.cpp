// OFT: the outputs of the weight turned block by block, W' = R^T W with R = (I + Q)(I - Q)^-1 of a skew Q (Cayley). Qiu et al. 2023,
// arXiv:2306.07280; LyCORIS modules/diag_oft.py, kohya-ss networks/oft.py. alpha times the number of outputs bounds |Q|; 0: no bound.
// BOFT does so in stages, between which the outputs change places as in a fast Fourier transform: Liu et al. 2023,
// arXiv:2311.06243; LyCORIS modules/boft.py.
#include "lora/kinds/kinds.h"

namespace negativa {

namespace {

constexpr const char* blocks = "oft_blocks";

int64_t no_rank(const PieceShapes&) { return 0; }

std::string rescale_fault(const PieceShapes& shapes, const LoraTarget& target) {
  const auto found = shapes.find("rescale");
  if (found == shapes.end() || c10::multiply_integers(found->second) == target.out_features) return {};
  return misshapen("rescale", found->second, fmt::format("[{}]", target.out_features));
}

std::string oft_fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which OFT cannot change";
  if (!has(shapes, blocks)) return "has rescale but no oft_blocks";
  const Shape& shape = shapes.at(blocks);
  if (shape.size() != 3 || shape[1] != shape[2] || shape[0] * shape[1] != target.out_features)
    return misshapen(blocks, shape, fmt::format("[blocks, size, size] of {} outputs", target.out_features));
  return rescale_fault(shapes, target);
}

std::string boft_fault(const PieceShapes& shapes, const LoraTarget& target) {
  if (target.kind == LoraTarget::Kind::norm) return "is a norm, which BOFT cannot change";
  const Shape& shape = shapes.at(blocks);
  const bool fits = shape[2] == shape[3] && shape[2] % 2 == 0 && shape[1] * shape[2] == target.out_features && shape[0] >= 1 &&
                    shape[0] < 40 && target.out_features % ((int64_t{1} << (shape[0] - 1)) * shape[2]) == 0;
  if (!fits) return misshapen(blocks, shape, fmt::format("[stages, blocks, size, size] of {} outputs", target.out_features));
  return rescale_fault(shapes, target);
}

// R of every block [..., size, size].
Tensor rotations(const LayerChange& of, const Tensor& weight) {
  const Tensor given = piece(of, blocks, weight);
  Tensor skew = given - given.transpose(-1, -2);
  const double bound = of.alpha * static_cast<double>(weight.size(0));
  if (bound > 0) {
    const double norm = skew.norm().item<double>() + 1e-8;
    if (norm > bound) skew = skew * (bound / norm);
  }
  const Tensor one = at::eye(given.size(-1), given.options());
  return at::matmul(one + skew, at::linalg_inv(one - skew));
}

Tensor rescaled(const LayerChange& of, const Tensor& turned) {
  if (!has(of, "rescale")) return turned;
  return turned * piece(of, "rescale", turned).flatten().view({-1, 1});
}

Tensor oft_change(const LayerChange& of, const Tensor& weight) {
  const Tensor rotation = rotations(of, weight), rows = weight.flatten(1);
  const Tensor turned = at::bmm(rotation.transpose(1, 2), rows.reshape({rotation.size(0), rotation.size(1), -1}));
  return (rescaled(of, turned.reshape(rows.sizes())) - rows).view(weight.sizes());
}

Tensor boft_change(const LayerChange& of, const Tensor& weight) {
  const Tensor rotation = rotations(of, weight), rows = weight.flatten(1);
  const int64_t size = rotation.size(-1), columns = rows.size(1);
  Tensor turned = rows;
  for (int64_t stage = 0; stage < rotation.size(0); ++stage) {
    const int64_t stride = (int64_t{1} << stage) * (size / 2);
    turned = turned.reshape({-1, 2, stride, columns}).transpose(1, 2).reshape({-1, size, columns});
    turned = at::bmm(rotation[stage], turned);
    turned = turned.reshape({-1, stride, 2, columns}).transpose(1, 2).reshape({-1, columns});
  }
  return (rescaled(of, turned) - rows).view(weight.sizes());
}

}  // namespace

const AdapterKind& oft_kind() {
  static const AdapterKind kind{.name = "OFT",
                                .pieces = {blocks, "rescale"},
                                .marks = {blocks, "rescale"},
                                .needs_weight = true,
                                .fault = oft_fault,
                                .rank = no_rank,
                                .change = oft_change};
  return kind;
}

// Told from OFT by its stages: read_layers.cpp.
const AdapterKind& boft_kind() {
  static const AdapterKind kind{.name = "BOFT",
                                .pieces = {blocks, "rescale"},
                                .marks = {},
                                .needs_weight = true,
                                .fault = boft_fault,
                                .rank = no_rank,
                                .change = boft_change};
  return kind;
}

}  // namespace negativa
