#pragma once
// safetensors files: a strict, memory-mapped reader and an atomic writer. Format: huggingface/safetensors README, "Format".
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "base/cancel.h"
#include "base/files.h"
#include "core/device.h"
#include "core/tensor.h"

namespace negativa {

using Metadata = std::map<std::string, std::string>;

struct TensorEntry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;  // bytes, relative to the data buffer
};

// Read-only and safe to share between threads. Every tensor it hands out is a copy (dtype and alignment of the file do not
// matter).
class SafetensorsFile {
 public:
  // Reads and checks the whole header. Throws ErrorKind::file_format in one line for anything but a correct file:
  // truncated, holes, overlaps, sizes that do not fit the shape, header over 100,000,000 bytes, duplicate keys, JSON deeper than
  // 64 … A file of another kind (file_kind.h) is called by its name. ErrorKind::input if it cannot be opened.
  static std::shared_ptr<const SafetensorsFile> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<TensorEntry>& entries() const { return entries_; }  // in file order
  const TensorEntry* find(std::string_view name) const;                 // nullptr: absent
  const Metadata& metadata() const { return metadata_; }

  // Copies (and casts, when dtype is given) one tensor to the CPU, then gives its pages back to the system (madvise), so that the
  // peak of resident memory does not count the file twice. Throws ErrorKind::missing_key.
  Tensor load(std::string_view name, std::optional<DType> dtype = {}) const;
  Tensor load(const TensorEntry& entry, std::optional<DType> dtype = {}) const;
  // Rows [begin, end) of the first axis only. Throws ErrorKind::shape when the tensor has no such rows.
  Tensor load_rows(const TensorEntry& entry, int64_t begin, int64_t end, std::optional<DType> dtype = {}) const;

  // SHA-256 of the bytes after the header, hex (kohya's sshs_model_hash; its first 12 digits are Civitai's AutoV3).
  std::string data_sha256(const CancelToken* cancel = nullptr) const;

 private:
  explicit SafetensorsFile(const std::filesystem::path& path);
  Tensor load_bytes(uint64_t begin, uint64_t end, const Shape& shape, DType stored, DType wanted) const;

  std::filesystem::path path_;
  MappedFile file_;
  uint64_t data_begin_ = 0;  // bytes from the start of the file
  std::vector<TensorEntry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
  Metadata metadata_;
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
