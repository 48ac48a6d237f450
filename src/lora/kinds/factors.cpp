#include "lora/kinds/kinds.h"

namespace negativa {

std::pair<int64_t, int64_t> as_matrix(const Shape& shape) {
  if (shape.empty()) return {0, 0};
  int64_t columns = 1;
  for (size_t axis = 1; axis < shape.size(); ++axis) columns *= shape[axis];
  return {shape[0], columns};
}

Tensor as_matrix(const Tensor& tensor) { return tensor.reshape({tensor.size(0), -1}); }

Pieces narrowed(const LayerChange& change, std::initializer_list<const char*> names, int64_t axis, int64_t first, int64_t count) {
  Pieces pieces = change.pieces;
  for (const char* name : names)
    if (const auto found = pieces.find(name); found != pieces.end()) found->second = found->second.narrow(axis, first, count);
  return pieces;
}

std::string missing(const PieceShapes& shapes, std::initializer_list<const char*> pieces) {
  for (const char* piece : pieces)
    if (!has(shapes, piece)) return fmt::format("{} is missing", piece);
  return {};
}

Tensor tucker(const Tensor& core, const Tensor& first, const Tensor& second) {
  return at::einsum("ijhw,ip,jr->prhw", {core, first, second});
}

}  // namespace negativa
