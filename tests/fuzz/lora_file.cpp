// The readers of adapter files on files that libFuzzer makes: of whatever bytes, a file opens or is refused by an Error of one
// line, and what opens can be applied. Any other exception, a crash or a leak is a finding.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "lora/inspect.h"
#include "model/lora_targets.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using namespace negativa;

constexpr size_t length_bytes = 8;  // of the header, little-endian: safetensors README, "Format"

const LoraTargets& targets() {
  static const LoraTargets all = lora_targets(open_model(std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models/emoji-xl"));
  return all;
}

// A file in memory, under a path that readers can open.
class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : descriptor_(memfd_create("adapter", 0)) {
    if (descriptor_ < 0 || write(descriptor_, data, size) != static_cast<ssize_t>(size)) std::abort();
  }
  ~MemoryFile() { close(descriptor_); }
  std::filesystem::path path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  int descriptor_;
};

template <class Call>
void expect_one_line(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    if (std::strchr(error.what(), '\n')) std::abort();
  }
}

void apply(const LoraFile& lora) {
  for (const auto& [component, changes] : lora.changes)
    for (const auto& [name, change] : changes) {
      const Tensor weight = at::ones(change->target.weight_shape());
      const Tensor whole = change->of_weight(weight);
      change->of_bias(at::ones({change->target.out_features}));
      const int64_t part = change->outputs_a_part();
      if (part == 0 || !whole.defined()) continue;
      if (weight.size(0) % part != 0) std::abort();
      change->of_outputs(weight.narrow(0, 0, part), 0);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const c10::InferenceMode inference;
  const MemoryFile file(data, size);
  expect_one_line([&] { apply(read_lora(file.path(), targets(), size % 2 == 0)); });
  expect_one_line([&] { survey_lora(file.path(), targets()); });
  return 0;
}

// Changes header and tensors apart and keeps the header's length true, without which every file would be refused at its 8th byte;
// now and then the bytes as they lie.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  uint64_t length = 0;
  if (size >= length_bytes) std::memcpy(&length, data, length_bytes);
  const bool has_header = size >= length_bytes && length <= size - length_bytes;
  if (!has_header || seed % 16 == 0 || max_size <= size) return LLVMFuzzerMutate(data, size, max_size);
  std::vector<uint8_t> header(data + length_bytes, data + length_bytes + length), rest(data + length_bytes + length, data + size);
  std::vector<uint8_t>& changed = seed % 4 == 1 ? rest : header;
  const size_t kept = changed.size(), room = kept + (max_size - size);
  changed.resize(room);
  changed.resize(LLVMFuzzerMutate(changed.data(), kept, room));
  length = header.size();
  std::memcpy(data, &length, length_bytes);
  std::copy(header.begin(), header.end(), data + length_bytes);
  std::copy(rest.begin(), rest.end(), data + length_bytes + header.size());
  return length_bytes + header.size() + rest.size();
}
