#include "core/generator.h"

#include <ATen/CPUGeneratorImpl.h>

namespace negativa {

Generator::Generator(uint64_t seed) : generator_(at::detail::createCPUGenerator(seed)) {}

Tensor Generator::randn(const Shape& shape) { return at::randn(shape, generator_, at::kFloat); }

Tensor Generator::randint(int64_t high, const Shape& shape) { return at::randint(high, shape, generator_, at::kLong); }

}  // namespace negativa
