#include "core/tensor.h"

#include <fmt/ranges.h>

namespace negativa {

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

Shape shape_of(const Tensor& tensor) { return Shape(tensor.sizes().begin(), tensor.sizes().end()); }

void check_shape(std::string_view where, const Tensor& tensor, const Shape& expected) {
  const auto got = shape_of(tensor);
  bool same = got.size() == expected.size();
  for (size_t i = 0; same && i < got.size(); ++i) same = expected[i] == -1 || expected[i] == got[i];
  check(same, ErrorKind::shape, "[{}] got shape {}, expected {}", where, to_string(got), to_string(expected));
}

}  // namespace negativa
