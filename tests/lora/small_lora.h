#pragma once
// What the tests of this room share: the layers of the bundled model, a LoRA on some of them, files of it in every dialect.
#include <functional>

#include "core/generator.h"
#include "lora/lora_file.h"

namespace negativa::test {

// The layers of models/emoji-xl, read off its files: every weight but the embeddings'.
const LoraTargets& model_targets();

// The layers of full-size SDXL's UNet by its published block structure (transformer depths 2 and 10).
LoraTargets full_size_unet_targets();

std::filesystem::path golden(const std::string& name);

// A folder of the running test alone, removed with it.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

using Tensors = std::map<std::string, Tensor>;
using Modules = std::map<std::string, std::map<std::string, LoraModule>>;

// Random rank-3 modules, alpha 1.5, on a few layers of all three components.
Modules small_lora();

// The tensors of a file of that dialect, each key in the spelling number `spelling` (the last where there are fewer); alpha only
// in kohya's.
Tensors tensors_of(const Modules& modules, LoraDialect dialect, size_t spelling = 0);

// Writes one file and reads it with the bundled model's layers.
LoraFile write_and_read(const Tensors& tensors, const Metadata& metadata = {}, bool allow_unmatched = false);

// The message of the Error that `call` throws; empty: none.
std::string message_of(const std::function<void()>& call);

void expect_same_deltas(const Modules& got, const Modules& expected);

}  // namespace negativa::test
