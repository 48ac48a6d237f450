#pragma once
// Where a program looks for what it is not given, and what its surroundings say. Programs fill it, from environment variables or
// otherwise, and hand it down: nothing below `apps` reads the environment.
#include <cstdint>
#include <filesystem>
#include <optional>

namespace negativa {

struct Places {
  std::filesystem::path models = {};                  // of the user, where models are looked up by name; it need not exist
  std::optional<std::filesystem::path> bundled = {};  // models that came with the program
  std::filesystem::path cache = {};                   // hashes, latents and embeddings between runs; empty: nothing is kept
  std::filesystem::path libtorch = {};  // its lib/ has libtorch_cuda.so for a GPU; empty: beside the libtorch in use
  int64_t build_date_s = 0;             // since 1970: what files that carry a time are to say; 0: none
};

}  // namespace negativa
