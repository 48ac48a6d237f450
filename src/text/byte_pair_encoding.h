#pragma once
// Byte-level byte pair encoding as CLIP uses it. Radford et al. 2021, arXiv:2103.00020; byte table: GPT-2's; word end: "</w>".
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace negativa {

inline constexpr std::string_view word_end = "</w>";

// The 256 bytes in the order of the vocabulary, and the printable character (UTF-8) each byte is written as.
std::array<uint8_t, 256> byte_order();
const std::array<std::string, 256>& byte_characters();

using Merge = std::pair<std::string, std::string>;

// 256 byte characters, the same with "</w>", the merges in file order, then `bos` and `eos`: what CLIP's vocab.json holds.
std::vector<std::string> vocabulary_of_merges(const std::vector<Merge>& merges, const std::string& bos, const std::string& eos);

class BytePairEncoding {
 public:
  // pieces[id]. Throws ErrorKind::file_format naming `where` when two pieces are one or a merge is not made of pieces.
  BytePairEncoding(std::vector<std::string> pieces, const std::vector<Merge>& merges, std::string_view where);

  // Appends the ids of one word (UTF-8). A byte that is no piece becomes `unknown`.
  void encode_word(std::string_view word, int64_t unknown, std::vector<int64_t>& ids) const;

  const std::vector<std::string>& pieces() const { return pieces_; }
  const int64_t* find(const std::string& piece) const;  // nullptr: absent

 private:
  struct Target {
    int32_t rank, id;
  };
  std::vector<std::string> pieces_;
  std::unordered_map<std::string, int64_t> ids_;
  std::unordered_map<uint64_t, Target> merges_;  // (left id << 32 | right id)
  std::array<int32_t, 256> byte_ids_, last_byte_ids_;
};

}  // namespace negativa
