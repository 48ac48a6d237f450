#include "lora/kohya_hashes.h"

#include <algorithm>

#include "base/sha256.h"

namespace negativa {

KohyaHashes kohya_hashes(const std::map<std::string, Tensor>& tensors, const Metadata& metadata) {
  constexpr uint64_t begin = 0x100000, end = begin + 0x10000;
  Metadata of_training;
  for (const auto& [key, value] : metadata)
    if (key.starts_with("ss_")) of_training[key] = value;
  Sha256 data, window;
  uint64_t position = 0;
  const auto sink = [&](std::string_view bytes) {
    if (position > 0) data.update(bytes);  // the first piece is the header
    const uint64_t from = std::clamp(begin, position, position + bytes.size()),
                   to = std::clamp(end, position, position + bytes.size());
    window.update(bytes.substr(from - position, to - from));
    position += bytes.size();
  };
  stream_safetensors(
      "lora", plans_of(tensors), of_training, [&](const std::string& name) { return tensors.at(name); }, sink);
  return {data.hex(), window.hex().substr(0, 8)};
}

}  // namespace negativa
