#pragma once
// Numbers and strings as pickles spell them. `where` opens error messages; all throw ErrorKind::file_format.
#include <string_view>

#include "io/pickle_value.h"

namespace negativa {

PickleValue pickle_integer(std::string_view decimal, const std::string& where);  // int64_t, or PickleBigInt beyond
PickleValue pickle_long(std::string_view little_endian);                         // two's complement of any length
double pickle_float(std::string_view decimal, const std::string& where);
uint64_t pickle_index(std::string_view decimal, const std::string& where);           // of the memo
std::string pickle_string(std::string_view quoted, const std::string& where);        // STRING: Python's repr of bytes
std::string pickle_raw_unicode(std::string_view escaped, const std::string& where);  // UNICODE: raw-unicode-escape, to UTF-8

// The bytes that text.encode("latin1") gives. Throws for a character beyond 255.
std::string latin1_bytes(std::string_view utf8, const std::string& where);

}  // namespace negativa
