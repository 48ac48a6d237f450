#pragma once
// SQLite, as far as an index needs it.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace negativa {

using SqlValue = std::variant<int64_t, std::string>;

// One row of a result, valid while it is visited.
class SqlRow {
 public:
  explicit SqlRow(sqlite3_stmt* statement) : statement_(statement) {}
  int64_t integer(int column) const;
  std::string text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// One connection: used by one thread at a time. Throws ErrorKind::file_format for a database that is damaged or none,
// ErrorKind::machine otherwise (disk full).
class Database {
 public:
  // Makes the file where it is missing. Write-ahead log, so that a program that is killed leaves it whole.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;

  // Statements with "?" for each value.
  void run(const std::string& sql, const std::vector<SqlValue>& values = {});
  void each(const std::string& sql, const std::vector<SqlValue>& values, const std::function<void(const SqlRow&)>& visit);
  int64_t number(const std::string& sql, const std::vector<SqlValue>& values = {});  // of the first row; 0 where there is none

 private:
  [[noreturn]] void fail_now();
  sqlite3* handle_ = nullptr;
};

// All of it or nothing: undone unless commit() was called.
class Transaction {
 public:
  explicit Transaction(Database& database) : database_(database) { database_.run("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool done_ = false;
};

// Whether a write-ahead log can work in that folder: it cannot on network file systems, which share no memory.
bool can_share_memory(const std::filesystem::path& folder);

}  // namespace negativa
