#include "io/tensor_file.h"

#include "io/file_kind.h"
#include "io/pickle_file.h"
#include "io/safetensors.h"

namespace negativa {

void TensorFile::set_entries(std::vector<TensorEntry> entries) {
  entries_ = std::move(entries);
  for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].name, i);
}

const TensorEntry* TensorFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Tensor TensorFile::load(std::string_view name, std::optional<DType> dtype) const {
  const auto* entry = find(name);
  check(entry, ErrorKind::missing_key, "[{}] has no tensor \"{}\" among its {}; is it the right file?", path_.string(), name,
        entries_.size());
  return load(*entry, dtype);
}

Tensor TensorFile::load(const TensorEntry& entry, std::optional<DType> dtype) const {
  return load_entry(entry, {}, dtype.value_or(entry.dtype));
}

Tensor TensorFile::load_rows(const TensorEntry& entry, int64_t begin, int64_t end, std::optional<DType> dtype) const {
  check(!entry.shape.empty() && 0 <= begin && begin <= end && end <= entry.shape[0], ErrorKind::shape,
        "[{}: {}] has shape {}, expected rows {} to {}", path_.string(), entry.name, to_string(entry.shape), begin, end);
  return load_entry(entry, Rows{begin, end}, dtype.value_or(entry.dtype));
}

std::shared_ptr<const TensorFile> open_tensor_file(const std::filesystem::path& path) {
  if (may_be_pickle(path)) return PickleFile::open(path);
  return SafetensorsFile::open(path);
}

}  // namespace negativa
