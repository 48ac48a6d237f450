#pragma once
// A file of named tensors, mapped and read tensor by tensor, whatever its format: safetensors (safetensors.h) or what torch.save
// writes (pickle_file.h).
#include <filesystem>
#include <map>
#include <memory>
#include <optional>

#include "base/cancel.h"
#include "core/device.h"
#include "core/tensor.h"

namespace negativa {

using Metadata = std::map<std::string, std::string>;

struct TensorEntry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;  // bytes, relative to the data buffer; of a pickle: of the whole file, and the storage that holds it
};

// Read-only and safe to share between threads. Every tensor it hands out is a copy (dtype, strides and alignment of the file do
// not matter).
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  const std::filesystem::path& path() const { return path_; }
  const std::vector<TensorEntry>& entries() const { return entries_; }  // in file order
  const TensorEntry* find(std::string_view name) const;                 // nullptr: absent
  const Metadata& metadata() const { return metadata_; }
  // What else of the file holds tensors and is not among the entries: a training checkpoint's "optimizer_states".
  const std::vector<std::string>& left_out() const { return left_out_; }

  // Copies (and casts, when dtype is given) one tensor to the CPU, then gives its pages back to the system (madvise), so that the
  // peak of resident memory does not count the file twice. Throws ErrorKind::missing_key.
  Tensor load(std::string_view name, std::optional<DType> dtype = {}) const;
  Tensor load(const TensorEntry& entry, std::optional<DType> dtype = {}) const;
  // Rows [begin, end) of the first axis only. Throws ErrorKind::shape when the tensor has no such rows.
  Tensor load_rows(const TensorEntry& entry, int64_t begin, int64_t end, std::optional<DType> dtype = {}) const;

  // SHA-256, hex, of what counts as the data: of a safetensors file the bytes after the header (kohya's sshs_model_hash; its
  // first 12 digits are Civitai's AutoV3), of a pickle the whole file, as the webui takes it.
  virtual std::string data_sha256(const CancelToken* cancel = nullptr) const = 0;

 protected:
  explicit TensorFile(const std::filesystem::path& path) : path_(path) {}
  void set_entries(std::vector<TensorEntry> entries);
  // The tensor in its stored dtype or `wanted`; of rows [begin, end) where those are given, which the caller has checked.
  struct Rows {
    int64_t begin, end;
  };
  virtual Tensor load_entry(const TensorEntry& entry, const std::optional<Rows>& rows, DType wanted) const = 0;

  Metadata metadata_;
  std::vector<std::string> left_out_;

 private:
  std::filesystem::path path_;
  std::vector<TensorEntry> entries_;
  std::map<std::string, size_t, std::less<>> index_;
};

// Opens a file of either format, which its first bytes tell; nothing of it is ever run. Throws ErrorKind::file_format in one line
// for a damaged file, one of another kind (file_kind.h) and a pickle that calls what does not rebuild tensors; ErrorKind::input
// if it cannot be opened.
std::shared_ptr<const TensorFile> open_tensor_file(const std::filesystem::path& path);

}  // namespace negativa
