#include "lora/random_lora.h"

#include "base/derived_seed.h"
#include "core/generator.h"

namespace negativa {

namespace {

// [rows, columns] of orthonormal columns, uniform over all of them.
Tensor random_frame(Generator& generator, int64_t rows, int64_t columns) {
  const auto [q, r] = at::linalg_qr(generator.randn({rows, columns}).to(at::kDouble));
  return q * r.diagonal().sign();
}

LoraModule random_module(const LoraModule& source, uint64_t seed) {
  Generator generator(seed);
  const int64_t rank = std::min({source.rank(), source.up.size(0), source.down.size(1)});
  const Tensor roots = singular_values(source).slice(0, 0, rank).sqrt();
  LoraModule module = source;
  module.up = (random_frame(generator, source.up.size(0), rank) * roots).to(at::kFloat).contiguous();
  module.down = (random_frame(generator, source.down.size(1), rank) * roots).t().to(at::kFloat).contiguous();
  module.alpha = static_cast<double>(rank);
  module.stored.reset();  // rounded to the source's format it would have other singular values
  return module;
}

}  // namespace

Tensor singular_values(const LoraModule& module) {
  const Tensor up_r = std::get<1>(at::linalg_qr(module.up.to(at::kDouble), "r"));
  const Tensor down_r = std::get<1>(at::linalg_qr(module.down.to(at::kDouble).t(), "r"));
  return at::linalg_svdvals(up_r.matmul(down_r.t())).mul(std::abs(module.scale()));
}

std::map<std::string, std::map<std::string, LoraModule>> random_lora(const LoraFile& source, uint64_t seed) {
  std::map<std::string, std::map<std::string, LoraModule>> modules;
  for (const auto& [component, of_component] : source.modules)
    for (const auto& [name, module] : of_component)
      modules[component][name] = random_module(module, derived_seed(seed, component + " " + name, 0));
  return modules;
}

}  // namespace negativa
