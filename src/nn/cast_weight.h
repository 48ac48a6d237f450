#pragma once
// Weights stored in another number format than the one a layer computes in.
#include "core/tensor.h"

namespace negativa::nn {

// The stored weight in the number format and on the device of `like`; int8 weights times their scale a row. Itself where nothing
// is to change. Otherwise to be let go of before the thread asks for the next one: a large weight is cast into memory that stays
// the thread's, so that neither pages are asked of the system at every call nor does a heap get holes between what is kept. A
// caller that still holds one is safe: the next then gets memory of its own.
Tensor cast_weight(const Tensor& stored, const Tensor& scale, const Tensor& like);

}  // namespace negativa::nn
