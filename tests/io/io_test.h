#pragma once
// What several tests of the room need: a folder that goes away, bytes of hand-made files, one-line errors.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/model_files.h"

namespace negativa {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    auto pattern = (std::filesystem::temp_directory_path() / "negativa-io-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs `action`, which must throw Error of that kind, with one line; hands the line back.
template <class Action>
std::string error_of(ErrorKind kind, Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

inline std::filesystem::path emoji_xl() { return std::filesystem::path(NEGATIVA_SOURCE_DIR) / "models" / "emoji-xl"; }
inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(NEGATIVA_SOURCE_DIR) / "tests" / "golden" / name;
}

// Same names, dtypes, shapes and bytes.
inline void expect_same_weights(const Weights& got, const Weights& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, source] : expected) {
    const auto found = got.find(name);
    ASSERT_NE(found, got.end()) << name;
    EXPECT_EQ(found->second.shape(), source.shape()) << name;
    const auto tensor = found->second.load({});
    EXPECT_EQ(shape_of(tensor), found->second.shape()) << name;
    EXPECT_TRUE(at::equal(tensor, source.load({}))) << name;
  }
}

// A checkpoint in SGM naming with the parts of `model`, as Stability's own files are laid out.
void write_sgm_file(const ModelFiles& model, const std::filesystem::path& path, const Metadata& metadata);
// {part: config} of a model, for the metadata of such a file.
std::string configs_of(const ModelFiles& model);

}  // namespace negativa
