// What a file of torch.save's may do to the reader of pickles: nothing but an Error. libFuzzer's entry, also called by
// tests/io/pickle_file_test.cpp with files broken at random.
#include "io/pickle_file.h"

#include <cstddef>
#include <cstdint>
#include <span>

using namespace negativa;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t largest = 1 << 16, most = 1 << 20;  // elements that are worth loading
  const std::span<const uint8_t> bytes(data, size);
  try {
    const auto file = read_pickled_file("fuzz.pt", bytes);
    int64_t loaded = 0;
    for (size_t i = 0; i < file.entries.size() && loaded < most; ++i) {
      const int64_t elements = c10::multiply_integers(file.entries[i].shape);
      if (elements > largest) continue;
      load_pickled(bytes, file.entries[i], file.views[i], file.entries[i].dtype);
      loaded += elements;
    }
  } catch (const Error&) {
  }
  return 0;
}
