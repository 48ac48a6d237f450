#pragma once
// What a result was made from, and what happened while it was made.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/sha256.h"

namespace negativa {

// A file that took part. Known by content: `name` helps a person find it (a file or folder name, never a path).
struct RecipeInput {
  std::string role;  // "model", "unet", "lora", "embedding" …
  std::string name;
  std::string sha256;
};

// All that determines the bytes of a result on one machine, and nothing else: no path, clock or host. Written into PNG and LoRA
// files.
struct Recipe {
  std::string verb;                  // "generate", "train lora"
  std::string settings_json = "{}";  // resolved settings: canonical JSON of an object
  uint64_t seed = 0;
  std::string device, dtype;  // "cpu", "fp32"
  int threads = 0;
  std::string isa;  // isa_name(); empty: of a time before it was recorded
  std::string program_version = default_program_version();
  std::vector<RecipeInput> inputs;

  Json to_json() const;
  std::string to_text() const;  // canonical JSON
  std::string hash() const;     // SHA-256 of to_text(): the content address
  // Throws ErrorKind::file_format or missing_key, in a line that begins with [where].
  static Recipe from_json(const Json& json, std::string_view where);
  static Recipe from_text(std::string_view text, std::string_view where);

  static std::string default_program_version();  // "0.1.0"
};

struct RunRecord {
  Recipe recipe;
  std::map<std::string, double> timings_s;  // stage -> wall seconds
  std::map<std::string, double> metrics;    // name -> value; a NaN or infinity is written as null
  uint64_t peak_memory_bytes = 0;
  std::string processor, graphics;  // hardware names; graphics empty without a GPU

  std::string to_text() const;  // canonical JSON
  static RunRecord from_text(std::string_view text, std::string_view where);
};

// An input's name is its file name, its hash that of its content. Throws like cached_sha256_file.
RecipeInput recipe_input(std::string role, const std::filesystem::path& file, const Hashing& hashing);

uint64_t peak_memory_bytes();  // of this process so far: VmHWM of /proc/self/status; 0 where there is none
std::string processor_name();  // "model name" of /proc/cpuinfo, or "unknown"

}  // namespace negativa
