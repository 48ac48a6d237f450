#include "nn/module.h"

#include <fmt/ranges.h>

#include <set>

#include "core/device.h"
#include "nn/cpu_kernels.h"
#include "nn/layers.h"

namespace negativa::nn {

namespace {

// "a, b, c and 12 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t shown = 4;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(shown, names.size()));
  const auto more = names.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, ", "), more ? fmt::format(" and {} more", more) : "");
}

// Symmetric int8 per output channel: row maximum -> 127.
Tensor as_int8(const Slot& slot, const Tensor& tensor) {
  const Tensor rows = tensor.to(at::kFloat).flatten(1);
  const Tensor scale = rows.abs().amax(1).clamp_min(1e-12).div(127.0);
  *slot.scale = scale;
  return rows.div(scale.unsqueeze(1)).round_().to(at::kChar).view(tensor.sizes());
}

// fp8 times a scale a row, as int8 is kept.
bool stays_scaled(const Slot& slot, const TensorSource& source, const std::optional<DType>& storage) {
  return slot.scale && !source.scale_key.empty() && !source.transpose && storage.value_or(source.dtype()) == source.dtype();
}

bool is_number_format_of_weights(DType dtype) {
  for (const auto known : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kFloat8_e4m3fn, at::kFloat8_e5m2})
    if (dtype == known) return true;
  return false;
}

}  // namespace

void check_weights(const std::string& part, const Walk& module, const Weights& weights) {
  std::vector<std::string> missing, misshapen, extra, integer;
  std::set<std::string> known;
  for (const auto& slot : module.slots) {
    known.insert(slot.name);
    const auto found = weights.find(slot.name);
    if (found == weights.end()) {
      missing.push_back(slot.name);
    } else if (const auto shape = found->second.shape(); shape != slot.shape) {
      misshapen.push_back(fmt::format("{} is {}, expected {}", slot.name, to_string(shape), to_string(slot.shape)));
    } else if (!is_number_format_of_weights(found->second.dtype())) {
      integer.push_back(fmt::format("{} as {}", slot.name, c10::toString(found->second.dtype())));
    }
  }
  for (const auto& [key, source] : weights)
    if (!known.contains(key)) extra.push_back(key);
  if (missing.empty() && misshapen.empty() && extra.empty()) {
    check(integer.empty(), ErrorKind::file_format,
          "[{}] {} weights are quantised to a format that is not read ({}), expected fp32, fp16, bf16 or fp8", part,
          integer.size(), integer.empty() ? "" : some_of(integer));
    return;
  }
  for (const auto& key : extra)
    check(sign_of_quantising(key).empty(), ErrorKind::file_format,
          "[{}] is {} ({}), which is not read; give one in fp32, fp16, bf16 or plain fp8", part, sign_of_quantising(key), key);
  std::string message = fmt::format("[{}] weights do not fit the config:", part);
  if (!missing.empty()) message += fmt::format(" {} missing ({});", missing.size(), some_of(missing));
  if (!misshapen.empty()) message += fmt::format(" {} misshapen ({});", misshapen.size(), some_of(misshapen));
  if (!extra.empty()) message += fmt::format(" {} unexpected ({});", extra.size(), some_of(extra));
  fail(missing.empty() ? ErrorKind::shape : ErrorKind::missing_key, "{} is this file of another model?", message);
}

void load(const std::string& part, const Walk& module, const Weights& weights, const LoadOptions& options) {
  check_weights(part, module, weights);
  for (const auto& slot : module.slots) {
    if (options.cancel) options.cancel->throw_if_cancelled();
    const bool int8 = options.storage == at::kChar;
    const TensorSource& source = weights.at(slot.name);
    const bool keeps_scale = stays_scaled(slot, source, options.storage);
    Tensor tensor = (keeps_scale ? source.load_stored() : source.load(int8 ? at::kHalf : options.storage)).to(options.device);
    if (keeps_scale) *slot.scale = source.scale().to(options.device);
    if (int8 && slot.scale) tensor = as_int8(slot, tensor);
    // Pictures are channels_last; a weight in the same order spares a copy at every call.
    if (tensor.dim() == 4) tensor = tensor.contiguous(at::MemoryFormat::ChannelsLast);
    *slot.tensor = std::move(tensor);
  }
  const auto tell_names = [](const auto& layers) {
    for (const auto& [name, layer] : layers) layer->name = name;
  };
  tell_names(module.linears);
  tell_names(module.convolutions);
  tell_names(module.group_norms);
  tell_names(module.layer_norms);
  if (options.pack_small) pack_small(module, options.cancel);
}

void pack_small(const Walk& module, const CancelToken* cancel) {
  const auto fits = [&](const Tensor& weight) {
    if (cancel) cancel->throw_if_cancelled();
    return weight.is_cpu() && weight.scalar_type() == at::kFloat && cpu::worth_packing(weight);
  };
  for (const auto& [name, linear] : module.linears)
    if (fits(linear->weight)) linear->packed = cpu::pack_linear(linear->weight);
  for (const auto& [name, conv] : module.convolutions)
    if (fits(conv->weight)) conv->packed = cpu::pack_conv(conv->weight, conv->shape());
}

int64_t packed_bytes(const Weights& weights) {
  int64_t elements = 0;
  for (const auto& [key, source] : weights) {
    const Shape shape = source.shape();
    if (shape.size() < 2 || !cpu::worth_packing(at::empty(shape, at::kMeta))) continue;
    const int64_t count = c10::multiply_integers(shape);
    elements += shape.size() == 4 && shape[2] == 3 ? count / 9 * 16 : count;  // 16 elements for the 9 of a kernel
  }
  return elements * dtype_bytes(at::kFloat);
}

int64_t parameter_count(const Walk& module) {
  int64_t count = 0;
  for (const auto& slot : module.slots) count += c10::multiply_integers(slot.shape);
  return count;
}

}  // namespace negativa::nn
