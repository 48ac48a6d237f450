#pragma once
// What torch.save wrote: .bin, .pt, .ckpt and .pth files, ZIP archives and the older ("legacy") form. Nothing of them is run: the
// pickle in them is read as data by a machine that knows a closed list of opcodes and calls (pickle_machine.h, pickle_calls.h).
// Format: torch/serialization.py of PyTorch 2.11, _save and _legacy_save.
#include <span>

#include "base/files.h"
#include "io/tensor_file.h"

namespace negativa {

// A tensor's numbers in the bytes of the file.
struct PickledView {
  uint64_t begin = 0;            // byte of the file at which its first element lies
  Shape stride;                  // elements
  std::optional<double> number;  // the value itself, where the file keeps it as a plain number
};

struct PickledFile {
  std::vector<TensorEntry> entries;
  std::vector<PickledView> views;  // one an entry
  Metadata metadata;
  std::vector<std::string> left_out;
};

// Everything but the tensors' values. `where` opens the error messages. Throws as PickleFile::open does.
PickledFile read_pickled_file(const std::string& where, std::span<const uint8_t> bytes);

// One tensor of it, contiguous; of rows [begin, end) where those are given.
Tensor load_pickled(std::span<const uint8_t> bytes, const TensorEntry& entry, const PickledView& view, DType wanted);

// The names and what is metadata: pickle_names.h.
class PickleFile : public TensorFile {
 public:
  // Reads the pickle and the archive's directory, no tensor. Throws ErrorKind::file_format in one line for a pickle that calls
  // what does not rebuild tensors, for damage, TorchScript, big-endian files, and tensors that are together over four times the
  // size of the file. ErrorKind::input if it cannot be opened.
  static std::shared_ptr<const PickleFile> open(const std::filesystem::path& path);

  std::string data_sha256(const CancelToken* cancel = nullptr) const override;

 private:
  explicit PickleFile(const std::filesystem::path& path);
  Tensor load_entry(const TensorEntry& entry, const std::optional<Rows>& rows, DType wanted) const override;

  MappedFile file_;
  std::vector<PickledView> views_;
};

}  // namespace negativa
