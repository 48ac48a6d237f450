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

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : TensorFile(path), file_(path) {
  const auto length = header_length(path.string(), file_);
  data_begin_ = length_bytes + length;
  const std::string_view json(reinterpret_cast<const char*>(file_.data()) + length_bytes, length);
  auto header = parse_safetensors_header(path.string(), json, file_.size() - data_begin_);
  metadata_ = std::move(header.metadata);
  set_entries(std::move(header.entries));
}

std::shared_ptr<const SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
  check_not_foreign(path);
  return std::shared_ptr<const SafetensorsFile>(new SafetensorsFile(path));
}

Tensor SafetensorsFile::load_entry(const TensorEntry& entry, const std::optional<Rows>& rows, DType wanted) const {
  if (!rows) return load_bytes(entry.begin, entry.end, entry.shape, entry.dtype, wanted);
  auto shape = entry.shape;
  const auto row_bytes = shape[0] == 0 ? 0 : (entry.end - entry.begin) / static_cast<uint64_t>(shape[0]);
  shape[0] = rows->end - rows->begin;
  return load_bytes(entry.begin + rows->begin * row_bytes, entry.begin + rows->end * row_bytes, shape, entry.dtype, wanted);
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
