#pragma once
// The target of a request line (RFC 9112, 3.2.1): path and query, decoded once.
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace negativa::web {

struct Target {
  std::vector<std::string> segments;  // of the path, decoded; "/" has none
  std::map<std::string, std::string> query;
};

// Absent: not in origin form ("/…"), a broken percent escape, text that is not UTF-8, or a path of which a segment is empty, "."
// or ".." or holds a slash, a backslash or a control character once decoded. A query that names a key twice is refused too.
std::optional<Target> parse_target(std::string_view text);

// For URLs that are handed out: everything but letters, digits and "-._~" as %XX.
std::string url_encoded(std::string_view text);

}  // namespace negativa::web
