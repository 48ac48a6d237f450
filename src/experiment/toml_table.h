#pragma once
// An experiment's TOML while it is read: values in the file's order, with the lines that errors and records name. Included by the
// .cpp files that read it alone.
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/json.h"
#include "base/toml.h"

namespace negativa {

struct TomlSource {
  std::string file;         // as messages name it
  TomlPositions positions;  // none: not of a text, so that no line is named

  int line(std::string path) const;                  // of the nearest part of the path that stands in the text; 1 where none does
  std::string where(const std::string& path) const;  // "experiments/x.toml line 12"
  std::string where_and_path(const std::string& path) const;  // "experiments/x.toml line 12, arms.article.lora"
};

struct TomlEntry {
  std::string key, path;
  const Json* value;
};

// A key that other tables take and this one does not, and why.
struct RefusedKey {
  const char* key;
  const char* reason;
};

// A table, or something else that has to be one. The source and the JSON must outlive it.
class TomlTable {
 public:
  TomlTable(const TomlSource& source, const Json& value, std::string path);  // throws ErrorKind::input for what is no table

  const std::string& path() const { return path_; }
  const TomlSource& source() const { return source_; }
  std::string where() const { return source_.where(path_); }
  std::vector<TomlEntry> entries() const;          // in the file's order
  const Json* find(const std::string& key) const;  // nullptr: it is not there
  std::string where(const std::string& key) const { return source_.where(toml_path(path_, key)); }
  std::string where_and_path(const std::string& key) const { return source_.where_and_path(toml_path(path_, key)); }

 private:
  const TomlSource& source_;
  const Json& value_;
  std::string path_;
};

// Writes one key into the field of that name. `others`: keys that the caller reads itself, so that the nearest name can be one.
// Throws ErrorKind::input naming file, line and key: unknown, refused, given twice (once as its flag), a value of the wrong kind.
Field& set_entry(Fields& fields, const TomlSource& source, const TomlEntry& entry, std::span<const RefusedKey> refused = {},
                 std::span<const std::string> others = {});
// All of a table's keys but `others`.
void set_entries(Fields& fields, const TomlTable& table, std::span<const RefusedKey> refused = {},
                 std::span<const std::string> others = {});

[[noreturn]] void refuse_unknown(const TomlSource& source, const TomlEntry& entry, std::span<const std::string> known);

// A name of a table: letters, digits, '-', '_' and '.'.
void check_table_name(const TomlSource& source, const TomlEntry& entry);

// Texts of a list, or the one text. Throws ErrorKind::input for anything else.
std::vector<std::string> texts_of(const TomlSource& source, const TomlEntry& entry);
std::vector<double> numbers_of(const TomlSource& source, const TomlEntry& entry);
std::vector<int64_t> integers_of(const TomlSource& source, const TomlEntry& entry);

}  // namespace negativa
