#pragma once
// What the kinds share: shapes of factors and how they are multiplied.
#include "lora/layer_change.h"

namespace negativa {

const AdapterKind& loha_kind();
const AdapterKind& lokr_kind();
const AdapterKind& ia3_kind();
const AdapterKind& glora_kind();

inline bool has(const PieceShapes& shapes, const char* piece) { return shapes.contains(piece); }

// The piece in the dtype and on the device of the weight.
inline Tensor piece(const LayerChange& change, const char* name, const Tensor& weight) {
  return change.pieces.at(name).to(weight.options());
}
inline bool has(const LayerChange& change, const char* piece) { return change.pieces.contains(piece); }

// The pieces with these outputs of the named ones alone, which have the outputs along `axis`; a piece that is not there is passed
// over.
Pieces narrowed(const LayerChange& change, std::initializer_list<const char*> names, int64_t axis, int64_t first, int64_t count);

// The first axis by all others: [r, in, k, k] -> {r, in k k}.
std::pair<int64_t, int64_t> as_matrix(const Shape& shape);
Tensor as_matrix(const Tensor& tensor);

// "b of [4, 8, 2]": the first of the pieces that is not there; empty: all are.
std::string missing(const PieceShapes& shapes, std::initializer_list<const char*> pieces);

// core [i, j, k, k], first [i, out], second [j, in] -> [out, in, k, k]: a Tucker decomposition (LyCORIS, "CP").
Tensor tucker(const Tensor& core, const Tensor& first, const Tensor& second);

}  // namespace negativa
