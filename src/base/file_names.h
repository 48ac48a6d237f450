#pragma once
// Names of files as people type them and as systems store them: the same letters may be other bytes (macOS stores "é" as two code
// points).
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace negativa {

// Whether two names are the same text: equal in Unicode NFC.
bool same_name(std::string_view a, std::string_view b);

// ".png" for "A.PNG"; empty where there is none.
std::string lower_extension(const std::filesystem::path& file);

// How files of tensors end that people have: ".safetensors", then those of pickles.
std::span<const char* const> weights_endings();

// Finds what is stored under a name, and lists each folder once. Not to be shared between threads.
class StoredNames {
 public:
  // The path as it lies on disk: itself where it is there, else each of its names replaced by the folder's entry that is the same
  // in NFC (the first in order of bytes, where there are several). What is there under no spelling comes back as it was given.
  // Never throws an Error.
  std::filesystem::path path_of(const std::filesystem::path& path);

 private:
  const std::map<std::string, std::string>& entries(const std::filesystem::path& folder);
  std::map<std::filesystem::path, std::map<std::string, std::string>> folders_;  // name in NFC -> as stored
};

// The same for one path.
std::filesystem::path stored_path(const std::filesystem::path& path);

// The last name of a path in Unicode NFC, as recipes know it: "wrong" for "loras/wrong/".
std::string last_name(const std::filesystem::path& path);

}  // namespace negativa
