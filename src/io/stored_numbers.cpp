#include "io/stored_numbers.h"

#include "base/names.h"

namespace negativa {

namespace {
constexpr double largest_e4m3fn = 448;

bool stays_precise(std::string_view name) {
  for (const char* word : {"time_embed", "add_embedding", "label_emb", "token_embedding", "position_embedding",
                           "positional_embedding", "text_projection"})
    if (name.find(word) != std::string_view::npos) return true;
  return false;
}

Tensor saturated_fp8(const Tensor& tensor, std::string_view where, int64_t* saturated) {
  const Tensor numbers = tensor.to(at::kFloat);
  check(at::isfinite(numbers).all().item<bool>(), ErrorKind::input, "[{}] has numbers that are not finite, which fp8 cannot hold",
        where);
  if (saturated) *saturated += (numbers.abs() > largest_e4m3fn).sum().item<int64_t>();
  return numbers.clamp(-largest_e4m3fn, largest_e4m3fn).to(at::kFloat8_e4m3fn);
}
}  // namespace

DType stored_dtype(const std::optional<DType>& asked, std::string_view part, std::string_view name, DType now, size_t axes) {
  if (!asked || !at::isFloatingType(now)) return now;
  if (*asked != at::kFloat8_e4m3fn) return *asked;
  return axes < 2 || part == names::vae || stays_precise(name) ? now : *asked;
}

Tensor as_stored(const Tensor& tensor, DType wanted, std::string_view where, int64_t* saturated) {
  if (tensor.scalar_type() == wanted) return tensor;
  if (wanted == at::kFloat8_e4m3fn) return saturated_fp8(tensor, where, saturated);
  const Tensor stored = tensor.to(wanted);
  check(!at::isFloatingType(wanted) || at::isfinite(stored.to(at::kFloat)).all().item<bool>() ||
            !at::isfinite(tensor.to(at::kFloat)).all().item<bool>(),
        ErrorKind::input, "[{}] has values that {} cannot hold; take fp32 or bf16", where, dtype_name(wanted));
  return stored;
}

}  // namespace negativa
