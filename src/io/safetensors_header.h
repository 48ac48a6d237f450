#pragma once
// The JSON header of a safetensors file, and the names and widths of its dtypes.
#include <string_view>

#include "io/safetensors.h"

namespace negativa {

struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  // in file order
  Metadata metadata;
};

// Parses and checks everything that the header itself can tell: JSON, dtypes, shapes, contiguous offsets that fill `data_bytes`.
// `file` opens the error messages. Throws ErrorKind::file_format.
SafetensorsHeader parse_safetensors_header(const std::string& file, std::string_view json, uint64_t data_bytes);

// A name out of a file as an error message shows it: one line of at most about 100 bytes.
std::string printable_name(const std::string& name);

// "F16", "BF16", "F8_E4M3" … Throws ErrorKind::input for a dtype the format lacks.
std::string safetensors_dtype_name(DType dtype);
// Rank in the order in which tensors are written: U64 first, BOOL last.
int safetensors_dtype_order(DType dtype);

}  // namespace negativa
