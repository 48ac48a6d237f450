#pragma once
// safetensors files: a strict, memory-mapped reader and an atomic writer. Format: huggingface/safetensors README, "Format".
#include <functional>

#include "base/files.h"
#include "io/tensor_file.h"

namespace negativa {

class SafetensorsFile : public TensorFile {
 public:
  // Reads and checks the whole header. Throws ErrorKind::file_format in one line for anything but a correct file:
  // truncated, holes, overlaps, sizes that do not fit the shape, header over 100,000,000 bytes, duplicate keys, JSON deeper than
  // 64 … A file of another kind (file_kind.h) is called by its name. ErrorKind::input if it cannot be opened.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);

  std::string data_sha256(const CancelToken* cancel = nullptr) const override;

 private:
  explicit SafetensorsFile(const std::filesystem::path& path);
  Tensor load_entry(const TensorEntry& entry, const std::optional<Rows>& rows, DType wanted) const override;
  Tensor load_bytes(uint64_t begin, uint64_t end, const Shape& shape, DType stored, DType wanted) const;

  MappedFile file_;
  uint64_t data_begin_ = 0;  // bytes from the start of the file
};

// What a file will hold, before the tensors are there.
struct TensorPlan {
  DType dtype;
  Shape shape;
};
using TensorPlans = std::map<std::string, TensorPlan>;
using TensorLoader = std::function<Tensor(const std::string& name)>;

// The bytes of a file in their order, in pieces: the header, then each tensor as `load` gives it, one in memory at a time.
// `where` begins error messages. Throws ErrorKind::shape when a tensor is not as planned, and what the writers below throw.
void stream_safetensors(const std::string& where, const TensorPlans& plans, const Metadata& metadata, const TensorLoader& load,
                        const std::function<void(std::string_view bytes)>& sink);

TensorPlans plans_of(const std::map<std::string, Tensor>& tensors);

// Sorted by dtype then name, header padded to 8 bytes, written to a temporary name and renamed. Same input, same bytes, those of
// the format's own writer. Tensors of any device and strides. Throws ErrorKind::input (dtype or name the format lacks, unwritable
// path), ErrorKind::machine (disk full).
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, Tensor>& tensors,
                       const Metadata& metadata = {});
// The same for tensors that are made one by one.
void write_safetensors(const std::filesystem::path& path, const TensorPlans& plans, const TensorLoader& load,
                       const Metadata& metadata = {});

}  // namespace negativa
