#include "io/safetensors.h"

#include <cstring>

#include "base/sha256.h"
#include "io/file_kind.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {
constexpr uint64_t length_bytes = 8;                // the header's length, little endian
constexpr uint64_t max_header_bytes = 100'000'000;  // the format's own limit

uint64_t header_length(const std::string& file, const MappedFile& bytes) {
  check(bytes.size() >= length_bytes, ErrorKind::file_format, "[{}] got a file of {} bytes, expected at least 8; it is truncated",
        file, bytes.size());
  uint64_t length = 0;
  for (uint64_t i = 0; i < length_bytes; ++i) length |= static_cast<uint64_t>(bytes.data()[i]) << (8 * i);
  check(length <= max_header_bytes, ErrorKind::file_format,
        "[{}] got a header of {} bytes, expected at most {}; this is not a safetensors file", file, length, max_header_bytes);
  check(length <= bytes.size() - length_bytes, ErrorKind::file_format,
        "[{}] got a header of {} bytes in a file of {} bytes; it is truncated, download it again", file, length, bytes.size());
  return length;
}
}  // namespace

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : path_(path), file_(path) {
  const auto length = header_length(path.string(), file_);
  data_begin_ = length_bytes + length;
  const std::string_view json(reinterpret_cast<const char*>(file_.data()) + length_bytes, length);
  auto header = parse_safetensors_header(path.string(), json, file_.size() - data_begin_);
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
  for (size_t i = 0; i < entries_.size(); ++i) index_.emplace(entries_[i].name, i);
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  check_not_foreign(path);
  return std::shared_ptr<const SafetensorsFile>(new SafetensorsFile(path));
}

const TensorEntry* SafetensorsFile::find(std::string_view name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &entries_[found->second];
}

Tensor SafetensorsFile::load(std::string_view name, std::optional<DType> dtype) const {
  const auto* entry = find(name);
  check(entry, ErrorKind::missing_key, "[{}] has no tensor \"{}\" among its {}; is it the right file?", path_.string(), name,
        entries_.size());
  return load(*entry, dtype);
}

Tensor SafetensorsFile::load(const TensorEntry& entry, std::optional<DType> dtype) const {
  return load_bytes(entry.begin, entry.end, entry.shape, entry.dtype, dtype.value_or(entry.dtype));
}

Tensor SafetensorsFile::load_rows(const TensorEntry& entry, int64_t begin, int64_t end, std::optional<DType> dtype) const {
  check(!entry.shape.empty() && 0 <= begin && begin <= end && end <= entry.shape[0], ErrorKind::shape,
        "[{}: {}] has shape {}, expected rows {} to {}", path_.string(), entry.name, to_string(entry.shape), begin, end);
  auto shape = entry.shape;
  const auto row_bytes = shape[0] == 0 ? 0 : (entry.end - entry.begin) / static_cast<uint64_t>(shape[0]);
  shape[0] = end - begin;
  return load_bytes(entry.begin + begin * row_bytes, entry.begin + end * row_bytes, shape, entry.dtype,
                    dtype.value_or(entry.dtype));
}

Tensor SafetensorsFile::load_bytes(uint64_t begin, uint64_t end, const Shape& shape, DType stored, DType wanted) const {
  const auto bytes = static_cast<int64_t>(end - begin);
  auto result = at::empty(shape, at::TensorOptions().dtype(wanted));
  if (bytes == 0) return result;
  auto* source = const_cast<uint8_t*>(file_.data()) + data_begin_ + begin;  // only ever read
  const auto as_bytes = [&](void* data) { return at::from_blob(data, {bytes}, at::TensorOptions().dtype(at::kByte)); };
  if (stored == wanted) {
    as_bytes(result.data_ptr()).copy_(as_bytes(source));
  } else if (reinterpret_cast<uintptr_t>(source) % c10::elementSize(stored) == 0) {
    result.copy_(at::from_blob(source, shape, at::TensorOptions().dtype(stored)));
  } else {  // a header that was not padded leaves the data at odd addresses
    result.copy_(load_bytes(begin, end, shape, stored, stored));
  }
  file_.drop_pages(data_begin_ + begin, data_begin_ + end);
  return result;
}

std::string SafetensorsFile::data_sha256(const CancelToken* cancel) const {
  constexpr uint64_t piece_bytes = 64 << 20;
  Sha256 hash;
  for (uint64_t begin = data_begin_; begin < file_.size(); begin += piece_bytes) {
    if (cancel) cancel->throw_if_cancelled();
    const uint64_t end = std::min(begin + piece_bytes, file_.size());
    hash.update(file_.bytes().subspan(begin, end - begin));
    file_.drop_pages(begin, end);
  }
  return hash.hex();
}

}  // namespace negativa
