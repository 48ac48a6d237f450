#include "io/zip_archive.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/little_endian.h"
#include "io/safetensors_header.h"

namespace negativa {

namespace {

constexpr uint32_t local_magic = 0x04034b50, entry_magic = 0x02014b50, end_magic = 0x06054b50, end64_magic = 0x06064b50,
                   locator_magic = 0x07064b50;
constexpr uint64_t local_bytes = 30, entry_bytes = 46, end_bytes = 22, end64_bytes = 56, locator_bytes = 20;
constexpr uint64_t longest_comment = 0xffff, most_entries = 1'000'000;
constexpr uint16_t zip64_extra = 1, encrypted = 1, strongly_encrypted = 1 << 6, masked = 1 << 13;
constexpr uint64_t in_zip64 = 0xffffffff;  // the field says: look in the zip64 record

struct Directory {
  uint64_t entries, begin, end;
};

struct Entry {
  std::string name;
  uint16_t flags, method;
  uint64_t packed, size, header;  // bytes; position of the local header
};

class Reader {
 public:
  Reader(const std::string& where, std::span<const uint8_t> bytes) : where_(where), bytes_(bytes) {}

  std::map<std::string, ZipEntry, std::less<>> read() const {
    const auto directory = find_directory();
    std::map<std::string, ZipEntry, std::less<>> entries;
    std::vector<ZipEntry> taken;  // with the local headers
    uint64_t at = directory.begin;
    for (uint64_t i = 0; i < directory.entries; ++i) {
      const Entry entry = read_entry(at, directory.end);
      check_entry(entry);
      const ZipEntry data = locate(entry, directory.begin);
      taken.push_back({entry.header, data.end});
      check(entries.emplace(entry.name, data).second, ErrorKind::file_format, "[{}] got the entry {} twice, expected once",
            where_, printable_name(entry.name));
    }
    check_apart(taken);
    return entries;
  }

 private:
  template <class Number>
  Number number(uint64_t at) const {
    check(at <= bytes_.size() && sizeof(Number) <= bytes_.size() - at, ErrorKind::file_format,
          "[{}] got a ZIP archive that refers to byte {} of its {}; it is truncated, download it again", where_, at,
          bytes_.size());
    return little_endian<Number>(bytes_.data() + at);
  }

  uint64_t find_end() const {
    const uint64_t size = bytes_.size();
    for (uint64_t back = end_bytes; back <= std::min(size, end_bytes + longest_comment); ++back)
      if (number<uint32_t>(size - back) == end_magic && number<uint16_t>(size - back + 20) == back - end_bytes)
        return size - back;
    fail(ErrorKind::file_format,
         "[{}] got a ZIP archive without its directory, which lies at the end; it is truncated, download it again", where_);
  }

  Directory find_directory() const {
    const uint64_t end = find_end();
    Directory found{number<uint16_t>(end + 10), number<uint32_t>(end + 16), 0};
    uint64_t size = number<uint32_t>(end + 12), limit = end;
    if (end >= locator_bytes && number<uint32_t>(end - locator_bytes) == locator_magic) {
      const auto end64 = number<uint64_t>(end - locator_bytes + 8);
      check(end64 <= end - locator_bytes && end64_bytes <= end - locator_bytes - end64 && number<uint32_t>(end64) == end64_magic,
            ErrorKind::file_format, "[{}] got a ZIP archive whose zip64 directory is not where it should be; it is damaged",
            where_);
      found.entries = number<uint64_t>(end64 + 32);
      size = number<uint64_t>(end64 + 40);
      found.begin = number<uint64_t>(end64 + 48);
      limit = end64;
    }
    check(found.begin <= limit && size <= limit - found.begin, ErrorKind::file_format,
          "[{}] got a ZIP archive whose directory lies outside of it; it is truncated, download it again", where_);
    found.end = found.begin + size;
    check(found.entries <= most_entries, ErrorKind::file_format, "[{}] got a ZIP archive of {} entries, expected at most {}",
          where_, found.entries, most_entries);
    return found;
  }

  // Moves `at` to the next one.
  Entry read_entry(uint64_t& at, uint64_t end) const {
    check(at <= end && entry_bytes <= end - at && number<uint32_t>(at) == entry_magic, ErrorKind::file_format,
          "[{}] got a ZIP directory with another record at byte {}, expected an entry; the file is damaged", where_, at);
    const uint64_t name = number<uint16_t>(at + 28), extra = number<uint16_t>(at + 30), comment = number<uint16_t>(at + 32);
    check(name + extra + comment <= end - at - entry_bytes, ErrorKind::file_format,
          "[{}] got a ZIP directory whose entry at byte {} does not end; the file is damaged", where_, at);
    Entry entry{text(at + entry_bytes, name), number<uint16_t>(at + 8),  number<uint16_t>(at + 10),
                number<uint32_t>(at + 20),    number<uint32_t>(at + 24), number<uint32_t>(at + 42)};
    read_zip64(at + entry_bytes + name, extra, entry);
    at += entry_bytes + name + extra + comment;
    return entry;
  }

  // The zip64 record holds those of size, packed size and position that do not fit 32 bits, in this order.
  void read_zip64(uint64_t at, uint64_t length, Entry& entry) const {
    for (const uint64_t end = at + length; end - at >= 4;) {
      const auto id = number<uint16_t>(at);
      const uint64_t size = number<uint16_t>(at + 2);
      at += 4;
      if (size > end - at) return;
      uint64_t field = at;
      for (uint64_t* value : {&entry.size, &entry.packed, &entry.header})
        if (id == zip64_extra && *value == in_zip64 && field + 8 <= at + size) {
          *value = number<uint64_t>(field);
          field += 8;
        }
      at += size;
    }
  }

  std::string text(uint64_t at, uint64_t length) const {
    return {reinterpret_cast<const char*>(bytes_.data()) + at, static_cast<size_t>(length)};
  }

  void check_entry(const Entry& entry) const {
    const std::string name = printable_name(entry.name);
    const bool escapes = entry.name.empty() || entry.name.starts_with('/') ||
                         ("/" + entry.name + "/").find("/../") != std::string::npos ||
                         entry.name.find('\\') != std::string::npos || entry.name.find('\0') != std::string::npos;
    check(!escapes, ErrorKind::file_format,
          "[{}] got an entry named {}, which leads out of the archive; torch.save writes none such", where_, name);
    check((entry.flags & (encrypted | strongly_encrypted | masked)) == 0, ErrorKind::file_format,
          "[{}] got the encrypted entry {}, expected stored ones; torch.save writes none such", where_, name);
    check(
        entry.method == 0 && entry.packed == entry.size, ErrorKind::file_format,
        "[{}] got the compressed entry {}, expected stored ones as torch.save writes; unpack the archive and pack it with zip -0",
        where_, name);
  }

  ZipEntry locate(const Entry& entry, uint64_t directory) const {
    const auto broken = [&](bool sound) {
      check(sound, ErrorKind::file_format, "[{}] the entry {} is not where the directory says; the file is damaged", where_,
            printable_name(entry.name));
    };
    broken(entry.header <= directory && local_bytes <= directory - entry.header && number<uint32_t>(entry.header) == local_magic);
    const uint64_t name = number<uint16_t>(entry.header + 26), extra = number<uint16_t>(entry.header + 28);
    broken(name + extra <= directory - entry.header - local_bytes && text(entry.header + local_bytes, name) == entry.name);
    const uint64_t begin = entry.header + local_bytes + name + extra;
    broken(entry.size <= directory - begin && number<uint16_t>(entry.header + 8) == 0);
    return {begin, begin + entry.size};
  }

  void check_apart(std::vector<ZipEntry>& taken) const {
    std::sort(taken.begin(), taken.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < taken.size(); ++i)
      check(taken[i - 1].end <= taken[i].begin, ErrorKind::file_format,
            "[{}] got entries that overlap at byte {}; torch.save writes none such", where_, taken[i].begin);
  }

  const std::string& where_;
  std::span<const uint8_t> bytes_;
};

}  // namespace

std::map<std::string, ZipEntry, std::less<>> read_zip_directory(const std::string& where, std::span<const uint8_t> bytes) {
  return Reader(where, bytes).read();
}

}  // namespace negativa
