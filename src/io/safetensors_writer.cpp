#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

#include "base/json.h"
#include "io/safetensors.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {
static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory; the format is little endian");

using Named = std::pair<const std::string, Tensor>;

std::vector<const Named*> in_file_order(const std::map<std::string, Tensor>& tensors) {
  std::vector<const Named*> order;
  for (const auto& named : tensors) order.push_back(&named);
  std::stable_sort(order.begin(), order.end(), [](const Named* a, const Named* b) {
    return safetensors_dtype_order(a->second.scalar_type()) < safetensors_dtype_order(b->second.scalar_type());
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
    const auto& [name, tensor] = *named;
    check(name != "__metadata__", ErrorKind::input, "[{}] a tensor is named __metadata__, which the format reserves", path);
    const auto end = begin + static_cast<int64_t>(tensor.nbytes());
    separate();
    json += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", quoted(path, name),
                        safetensors_dtype_name(tensor.scalar_type()), fmt::join(tensor.sizes(), ","), begin, end);
    begin = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}
}  // namespace

void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors, const Metadata& metadata) {
  const auto order = in_file_order(tensors);
  const auto json = header_json(path.string(), order, metadata);
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(json.size() >> (8 * i));
  write_atomically(path, [&](int fd) {
    write_all(fd, length + json, path.string());
    for (const auto* named : order) {
      const auto plain = named->second.detach().to(at::kCPU).contiguous();
      write_all(fd, {static_cast<const char*>(plain.data_ptr()), plain.nbytes()}, path.string());
    }
  });
}

}  // namespace negativa
