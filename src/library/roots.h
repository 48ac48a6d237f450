#pragma once
// What a request may name: "ROOT/a/b" is a file below one of a few folders that were given at the start. Settings that come over
// HTTP, from a picture or from a file of settings never lead anywhere else.
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

struct Root {
  std::string name;
  std::filesystem::path folder;  // without links
};

// Filled at the start; safe to read from several threads afterwards.
class Roots {
 public:
  // A folder that is missing is left out. A name that is taken gets a number: "pictures-2".
  void add(const std::string& name, const std::filesystem::path& folder);
  const std::vector<Root>& roots() const { return roots_; }

  // Of what is there. Throws ErrorKind::input, in a line that begins with [where]: no such root, nothing of that name, a part
  // that is "." or "..", a link (it, or anything below it) that leads out of all roots, a path that is closed.
  std::filesystem::path resolve(std::string_view reference, std::string_view where) const;
  // Of a path that a file of settings names: throws as resolve does where it, or a link below it, leads out of all roots.
  void check_holds(const std::filesystem::path& path, std::string_view where) const;
  // "ROOT/a/b" of a path below a root; empty: it is below none.
  std::string reference_of(const std::filesystem::path& path) const;

  // Paths for which this holds are resolved by nobody, for as long as it does.
  void close_where(std::function<bool(const std::filesystem::path&)> is_closed) { is_closed_ = std::move(is_closed); }

  // No answer shows an absolute path: each that begins with a root's is written as a reference, of `hidden` folders as "…".
  std::string without_paths(std::string text) const;
  void hide(const std::filesystem::path& folder);

 private:
  bool holds(const std::filesystem::path& canonical) const;
  void check_links(const std::filesystem::path& path, std::string_view where) const;

  std::vector<Root> roots_;
  std::function<bool(const std::filesystem::path&)> is_closed_;
  std::vector<std::pair<std::string, std::string>> shown_;  // beginning of a path, what is shown; longest first
};

}  // namespace negativa
