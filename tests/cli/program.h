#pragma once
// The built program, run as a person runs it: in a folder of its own, with nothing in its cache and no models but the bundled
// ones.
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "image/image.h"

namespace negativa::test {

struct Ran {
  int exit_code = -1;  // -1: ended by a signal
  std::string out, err;
};

class Workplace {
 public:
  using Arguments = std::vector<std::string>;

  Ran run(const Arguments& args) const;
  // Expects success and returns what was printed on stdout.
  std::string results(const Arguments& args) const;

  pid_t start(const Arguments& args) const;  // its output goes nowhere
  std::string read(const std::string& name) const;
  void write(const std::string& name, const std::string& text) const;
  std::vector<std::string> files() const;  // names in the folder, sorted
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  std::filesystem::path cache() const;  // of the program run here

  uint64_t largest_file_bytes = 0;                               // of the program's; 0: any
  std::vector<std::pair<std::string, std::string>> environment;  // variables beside those of whoever runs the tests

 private:
  pid_t spawn(const Arguments& args, int out, int err) const;
  TemporaryFolder folder_, home_;
};

int exit_code_of(pid_t child);  // waits

std::filesystem::path golden(const std::string& name);
std::filesystem::path bundled(const std::string& name = "");  // of models/emoji-xl

std::vector<std::string> lines_of(const std::string& text);

// A correct safetensors file of zeros.
using NamedShapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;
void write_zeros(const std::filesystem::path& file, const NamedShapes& tensors);
// The header of one, without "__metadata__".
Json tensors_of(const std::filesystem::path& file);

Image8 picture(const std::filesystem::path& png);
std::string text_chunk(const std::filesystem::path& png, const std::string& keyword);

}  // namespace negativa::test
