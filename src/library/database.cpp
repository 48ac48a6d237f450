#include "library/database.h"

#include <sqlite3.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/error.h"

namespace negativa {

int64_t SqlRow::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqlRow::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes ? std::string(bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))) : "";
}

Database::Database(const std::filesystem::path& file) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  try {
    if (sqlite3_open_v2(file.c_str(), &handle_, flags, nullptr) != SQLITE_OK) fail_now();
    sqlite3_busy_timeout(handle_, 5000);
    run("PRAGMA journal_mode = WAL");
    run("PRAGMA synchronous = NORMAL");  // files are the truth: what a power cut takes from the index is read again
    run("PRAGMA cache_size = -1024");    // KiB: the system keeps the file in memory, and a large gallery should cost no more here
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() { sqlite3_close(handle_); }

void Database::fail_now() {
  const int code = handle_ ? sqlite3_errcode(handle_) : SQLITE_NOMEM;
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  fail(damaged ? ErrorKind::file_format : ErrorKind::machine, "[library] its index cannot be used: {}",
       handle_ ? sqlite3_errmsg(handle_) : "out of memory");
}

void Database::each(const std::string& sql, const std::vector<SqlValue>& values,
                    const std::function<void(const SqlRow&)>& visit) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), static_cast<int>(sql.size()), &raw, nullptr) != SQLITE_OK) fail_now();
  const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(raw, sqlite3_finalize);
  for (size_t i = 0; i < values.size(); ++i) {
    const int place = static_cast<int>(i) + 1;
    if (const auto* number = std::get_if<int64_t>(&values[i]))
      sqlite3_bind_int64(raw, place, *number);
    else
      sqlite3_bind_text64(raw, place, std::get<std::string>(values[i]).data(), std::get<std::string>(values[i]).size(),
                          SQLITE_TRANSIENT, SQLITE_UTF8);
  }
  while (true) {
    const int step = sqlite3_step(raw);
    if (step == SQLITE_DONE) return;
    if (step != SQLITE_ROW) fail_now();
    visit(SqlRow(raw));
  }
}

void Database::run(const std::string& sql, const std::vector<SqlValue>& values) {
  each(sql, values, [](const SqlRow&) {});
}

int64_t Database::number(const std::string& sql, const std::vector<SqlValue>& values) {
  int64_t result = 0;
  each(sql, values, [&](const SqlRow& row) { result = row.integer(0); });
  return result;
}

Transaction::~Transaction() {
  if (done_) return;
  try {
    database_.run("ROLLBACK");
  } catch (const Error&) {  // what went wrong is being thrown already
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  done_ = true;
}

bool can_share_memory(const std::filesystem::path& folder) {
  // statfs(2): nfs, smb, cifs, smb2, 9p, fuse (sshfs among others), afs, ceph.
  constexpr std::array<uint32_t, 8> network = {0x6969,     0x517b,     0xff534d42, 0xfe534d42,
                                               0x01021997, 0x65735546, 0x5346414f, 0x00c36400};
  struct statfs status {};
  if (::statfs(folder.c_str(), &status) != 0) return false;
  return std::find(network.begin(), network.end(), static_cast<uint32_t>(status.f_type)) == network.end();
}

}  // namespace negativa
