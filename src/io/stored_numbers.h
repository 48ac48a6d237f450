#pragma once
// The number format weights are stored in when a model is written anew.
#include <optional>

#include "core/device.h"

namespace negativa {

// Of the tensor `name` of `part`; absent: as it is. Integers stay. fp8 is for the matrices and convolutions of UNet and text
// encoders: norms, biases, embeddings, the text projection and the VAE stay as they are, since their rounding shows and they are
// small. `name` is ours or SGM's, after the part's prefix.
DType stored_dtype(const std::optional<DType>& asked, std::string_view part, std::string_view name, DType now, size_t axes);

// The tensor in that format. e4m3fn saturates: numbers beyond ±448 become ±448, and *saturated counts them. Throws
// ErrorKind::input, naming `where` and the advice, for a finite number that the format cannot hold (fp8: any that is not finite).
Tensor as_stored(const Tensor& tensor, DType wanted, std::string_view where, int64_t* saturated = nullptr);

}  // namespace negativa
