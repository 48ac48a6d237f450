#pragma once
// Numbers as files hold them, at any address.
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace negativa {

template <class Number>
Number little_endian(const uint8_t* bytes) {
  std::make_unsigned_t<Number> value = 0;
  for (size_t i = 0; i < sizeof(Number); ++i)
    value = static_cast<std::make_unsigned_t<Number>>(value | (static_cast<std::make_unsigned_t<Number>>(bytes[i]) << (8 * i)));
  return static_cast<Number>(value);
}

}  // namespace negativa
