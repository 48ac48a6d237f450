#pragma once
// Base64 (RFC 4648, section 4).
#include <optional>
#include <string>
#include <string_view>

namespace negativa::web {

std::string base64_from(std::string_view bytes);  // padded, in one line

// Absent: a character that is none of the alphabet's, before the padding. Bits that fill no byte are dropped.
std::optional<std::string> bytes_from_base64(std::string_view text);

}  // namespace negativa::web
