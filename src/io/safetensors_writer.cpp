#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "base/json.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {
static_assert(std::endian::native == std::endian::little,
              "tensors are written as they lie in memory; the format is little endian");

using Named = std::pair<const std::string, TensorPlan>;

std::vector<const Named*> in_file_order(const TensorPlans& plans) {
  std::vector<const Named*> order;
  for (const auto& named : plans) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    return safetensors_dtype_order(a->second.dtype) < safetensors_dtype_order(b->second.dtype);
  });
  return order;
}

std::string quoted(const std::string& path, const std::string& text) {
  try {
    return Json(text).dump();
  } catch (const Json::exception&) {
    fail(ErrorKind::input, "[{}] a name or metadata text is not valid UTF-8", path);
  }
}

// As the format's own writer spells it: no spaces, metadata first, dtype shape data_offsets.
std::string header_json(const std::string& path, const std::vector<const Named*>& order, const Metadata& metadata) {
  std::string json = "{";
  const auto separate = [&json] {
    if (json.back() != '{') json += ',';
  };
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) separate(), json += quoted(path, key) + ":" + quoted(path, value);
    json += "}";
  }
  int64_t begin = 0;
  for (const auto* named : order) {
    const auto& [name, plan] = *named;
    check(name != "__metadata__", ErrorKind::input, "[{}] a tensor is named __metadata__, which the format reserves", path);
    const auto end = begin + c10::multiply_integers(plan.shape) * dtype_bytes(plan.dtype);
    separate();
    json += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(path, name),
                        safetensors_dtype_name(plan.dtype), fmt::join(plan.shape, ","), begin, end);
    begin = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}
}  // namespace

TensorPlans plans_of(const std::map<std::string, Tensor>& tensors) {
  TensorPlans plans;
  for (const auto& [name, tensor] : tensors) plans[name] = {tensor.scalar_type(), shape_of(tensor)};
  return plans;
}

void stream_safetensors(const std::string& where, const TensorPlans& plans, const Metadata& metadata, const TensorLoader& load,
                        const std::function<void(std::string_view bytes)>& sink) {
  const auto order = in_file_order(plans);
  const auto json = header_json(where, order, metadata);
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(json.size() >> (8 * i));
  sink(length + json);
  for (const auto* named : order) {
    const auto& [name, plan] = *named;
    const auto tensor = load(name).detach().to(at::kCPU).contiguous();
    if (tensor.scalar_type() != plan.dtype || shape_of(tensor) != plan.shape)
      fail(ErrorKind::shape, "[{}] {} is {} {}, expected {} {}", where, name, safetensors_dtype_name(tensor.scalar_type()),
           to_string(shape_of(tensor)), safetensors_dtype_name(plan.dtype), to_string(plan.shape));
    sink({static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()});
  }
}

void write_safetensors(const std::filesystem::path& path, const TensorPlans& plans, const TensorLoader& load,
                       const Metadata& metadata) {
  write_atomically(path, [&](int fd) {
    stream_safetensors(path.string(), plans, metadata, load,
                       [&](std::string_view bytes) { write_all(fd, bytes, path.string()); });
  });
}

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const Metadata& metadata) {
  write_safetensors(
      path, plans_of(tensors), [&](const std::string& name) { return tensors.at(name); }, metadata);
}

}  // namespace negativa
