#include "io/weights.h"

namespace negativa {

namespace {
const TensorEntry& entry_of(const TensorSource& source) {
  const auto* entry = source.file->find(source.key);
  check(entry, ErrorKind::missing_key, "[{}] has no tensor \"{}\"", source.file->path().string(), source.key);
  return *entry;
}

bool is_1x1_convolution(const Shape& shape) { return shape.size() == 4 && shape[2] == 1 && shape[3] == 1; }
}  // namespace

Shape TensorSource::shape() const {
  auto shape = entry_of(*this).shape;
  if (row_end >= 0 && !shape.empty()) shape[0] = row_end - row_begin;
  if (squeeze && is_1x1_convolution(shape)) shape.resize(2);
  if (transpose && shape.size() == 2) std::swap(shape[0], shape[1]);
  return shape;
}

DType TensorSource::dtype() const { return entry_of(*this).dtype; }

DType TensorSource::plain_dtype() const { return scale_key.empty() ? dtype() : at::kBFloat16; }

Tensor TensorSource::load(std::optional<DType> dtype) const {
  if (scale_key.empty()) return load_rows(dtype);
  Shape per_row(shape().size(), 1);
  if (!per_row.empty()) per_row[transpose ? per_row.size() - 1 : 0] = -1;
  return load_rows(at::kFloat).mul_(scale().view(per_row)).to(dtype.value_or(plain_dtype()));
}

Tensor TensorSource::load_stored() const { return load_rows({}); }

Tensor TensorSource::scale() const {
  const auto& rows = entry_of(*this).shape;
  const Tensor scale = file->load(scale_key, at::kFloat).flatten();
  const int64_t first = row_end >= 0 ? row_begin : 0, end = row_end >= 0 ? row_end : rows.empty() ? 1 : rows[0];
  return scale.numel() == 1 ? scale.expand(end - first).contiguous() : scale.slice(0, first, end).contiguous();
}

Tensor TensorSource::load_rows(std::optional<DType> dtype) const {
  const auto& entry = entry_of(*this);
  auto tensor = row_end >= 0 ? file->load_rows(entry, row_begin, row_end, dtype) : file->load(entry, dtype);
  if (squeeze && is_1x1_convolution(entry.shape)) tensor = tensor.flatten(1);
  if (transpose && tensor.dim() == 2) tensor = tensor.t().contiguous();
  return tensor;
}

std::string_view sign_of_quantising(std::string_view key) {
  struct Sign {
    std::string_view end, tool;
  };
  static constexpr Sign signs[] = {{".scale_weight", "scaled without its weights"},
                                   {".weight_scale", "scaled without its weights"},
                                   {".SCB", "quantised by bitsandbytes"},
                                   {".absmax", "quantised by bitsandbytes"},
                                   {".quant_map", "quantised by bitsandbytes"},
                                   {"._scale", "quantised by quanto"},
                                   {".qweight", "quantised by GPTQ"}};
  for (const auto& sign : signs)
    if (key.ends_with(sign.end) || key.find(std::string(sign.end) + ".") != std::string_view::npos) return sign.tool;
  return {};
}

int64_t bytes_of(const Weights& weights, const std::optional<DType>& storage) {
  int64_t bytes = 0;
  for (const auto& [key, source] : weights)
    bytes += c10::multiply_integers(source.shape()) * dtype_bytes(storage.value_or(source.dtype()));
  return bytes;
}

int64_t largest_weight(const Weights& weights) {
  int64_t largest = 0;
  for (const auto& [key, source] : weights) largest = std::max(largest, c10::multiply_integers(source.shape()));
  return largest;
}

std::optional<DType> storage_or_default(const std::optional<DType>& asked, const Weights& weights, DType compute) {
  if (asked) return asked;
  if (bytes_of(weights, compute) < (int64_t{1} << 30)) return compute;
  return {};
}

}  // namespace negativa
