#pragma once
// JSON as we read and write it. Costly to compile: included by .cpp files only (headers take base/json_fwd.h).
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/json_fwd.h"

namespace negativa {

enum class DuplicateKeys { refuse, last_wins };

// UTF-8 JSON, at most 64 levels deep (checked first); strict, but for NaN and Infinity, which Python writes and every field's
// range refuses. Throws ErrorKind::file_format, in one line that begins with [where]: a file's name or what the text is.
Json parse_json(std::string_view text, std::string_view where, DuplicateKeys duplicates = DuplicateKeys::refuse);

// The same for a file of at most max_bytes. Throws ErrorKind::input when it cannot be opened.
Json read_json_file(const std::filesystem::path& path, uint64_t max_bytes = 64 << 20);

// Sorted keys, no white space, floats as the shortest text that reads back the same and always with '.' or 'e': the same value is
// the same bytes everywhere, so that it can be hashed. Throws ErrorKind::input for NaN and infinity, which JSON lacks.
std::string canonical_json(const Json& value);

// A value as an error message shows it: at most 40 bytes, one line.
std::string json_excerpt(const Json& value);

// Whether get<T> would be exact: "12" and 12.5 are no integers, and 300 is no uint8_t. A null is nothing.
template <class T>
bool json_holds(const Json& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value.is_boolean();
  } else if constexpr (std::is_integral_v<T>) {
    // The JSON parser makes a positive number unsigned; TOML and our own code make it signed.
    if (value.is_number_unsigned()) return std::in_range<T>(value.get<uint64_t>());
    return value.is_number_integer() && std::in_range<T>(value.get<int64_t>());
  } else if constexpr (std::is_floating_point_v<T>) {
    return value.is_number();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return value.is_string();
  } else {  // std::vector of the above
    if (!value.is_array()) return false;
    for (const auto& element : value)
      if (!json_holds<typename T::value_type>(element)) return false;
    return true;
  }
}

template <class T>
std::string json_type_name() {
  if constexpr (std::is_same_v<T, bool>)
    return "true or false";
  else if constexpr (std::is_integral_v<T>)
    return std::is_signed_v<T> ? "an integer" : "an integer of at least 0";
  else if constexpr (std::is_floating_point_v<T>)
    return "a number";
  else if constexpr (std::is_same_v<T, std::string>)
    return "a string";
  else
    return "a list, each " + json_type_name<typename T::value_type>();
}

// object[key] as T (bool, integers, floats, std::string, std::vector of these). Throws ErrorKind::missing_key when it is absent
// or null, ErrorKind::file_format when it is something else than a T; both name `where` (the file) and the key.
template <class T>
T get(const Json& object, const std::string& key, std::string_view where) {
  check(object.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", where, json_excerpt(object));
  const auto found = object.find(key);
  check(found != object.end() && !found->is_null(), ErrorKind::missing_key, "[{}] has no \"{}\", expected {}", where, key,
        json_type_name<T>());
  check(json_holds<T>(*found), ErrorKind::file_format, "[{}] \"{}\": got {}, expected {}", where, key, json_excerpt(*found),
        json_type_name<T>());
  return found->get<T>();
}

// The same, with a value for an absent or null key.
template <class T>
T get_or(const Json& object, const std::string& key, T fallback, std::string_view where) {
  check(object.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", where, json_excerpt(object));
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? fallback : get<T>(object, key, where);
}

// object[key] as an object or a list; the same errors.
const Json& get_object(const Json& object, const std::string& key, std::string_view where);
const Json& get_list(const Json& object, const std::string& key, std::string_view where);

}  // namespace negativa
