#pragma once
// The directory of a ZIP archive as torch.save writes it: entries stored as they are, read in place and never unpacked. Format:
// PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3 (zip64).
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace negativa {

struct ZipEntry {
  uint64_t begin, end;  // its bytes in the archive
};

// Name -> where. `where` opens the error messages. Throws ErrorKind::file_format in one line, naming the entry, for what
// torch.save never writes and a trap might: compressed or encrypted entries, entries that overlap or share bytes, a name twice,
// names that lead out of a folder, more than a million entries, headers that contradict the directory; and for a truncated
// archive.
std::map<std::string, ZipEntry, std::less<>> read_zip_directory(const std::string& where, std::span<const uint8_t> bytes);

}  // namespace negativa
