#pragma once
// The tensor type of the program and the checks every stage opens with.
#include <ATen/ATen.h>

#include <string_view>
#include <vector>

#include "base/error.h"

namespace negativa {

using at::Tensor;
using Shape = std::vector<int64_t>;

// "[2, 77, 2048]"
std::string to_string(const Shape& shape);
Shape shape_of(const Tensor& tensor);

// Throws ErrorKind::shape naming `where` unless the shapes agree; -1 in `expected` matches any size.
void check_shape(std::string_view where, const Tensor& tensor, const Shape& expected);

}  // namespace negativa
