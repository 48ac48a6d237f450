#include "text/byte_pair_encoding.h"

#include <queue>

#include "base/error.h"
#include "text/unicode.h"

namespace negativa {

namespace {

constexpr int32_t no_piece = -1;

bool printable(int byte) { return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174; }

uint64_t pair_key(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

std::array<uint8_t, 256> byte_order() {
  std::array<uint8_t, 256> order;
  size_t count = 0;
  for (const bool wanted : {true, false})
    for (int byte = 0; byte < 256; ++byte)
      if (printable(byte) == wanted) order[count++] = static_cast<uint8_t>(byte);
  return order;
}

const std::array<std::string, 256>& byte_characters() {
  static const auto characters = [] {
    std::array<std::string, 256> result;
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) append_utf8(result[byte], printable(byte) ? static_cast<char32_t>(byte) : next++);
    return result;
  }();
  return characters;
}

std::vector<std::string> vocabulary_of_merges(const std::vector<Merge>& merges, const std::string& bos, const std::string& eos) {
  std::vector<std::string> pieces;
  pieces.reserve(512 + merges.size() + 2);
  for (const uint8_t byte : byte_order()) pieces.push_back(byte_characters()[byte]);
  for (const uint8_t byte : byte_order()) pieces.push_back(byte_characters()[byte] + std::string(word_end));
  for (const auto& [left, right] : merges) pieces.push_back(left + right);
  pieces.push_back(bos);
  pieces.push_back(eos);
  return pieces;
}

BytePairEncoding::BytePairEncoding(std::vector<std::string> pieces, const std::vector<Merge>& merges, std::string_view where)
    : pieces_(std::move(pieces)) {
  ids_.reserve(pieces_.size());
  for (size_t id = 0; id < pieces_.size(); ++id)
    check(ids_.emplace(pieces_[id], id).second, ErrorKind::file_format, "[{}] \"{}\" stands twice in the vocabulary", where,
          pieces_[id]);
  merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const auto *left_id = find(left), *right_id = find(right), *merged = find(left + right);
    check(left_id && right_id && merged, ErrorKind::file_format,
          "[{}] merge {} (\"{}\" \"{}\") is not made of entries of the vocabulary; are merges and vocabulary of one model?",
          where, rank + 1, left, right);
    merges_[pair_key(*left_id, *right_id)] = {static_cast<int32_t>(rank), static_cast<int32_t>(*merged)};
  }
  for (int byte = 0; byte < 256; ++byte) {
    const auto* bare = find(byte_characters()[byte]);
    const auto* last = find(byte_characters()[byte] + std::string(word_end));
    byte_ids_[byte] = bare ? static_cast<int32_t>(*bare) : no_piece;
    last_byte_ids_[byte] = last ? static_cast<int32_t>(*last) : no_piece;
  }
}

const int64_t* BytePairEncoding::find(const std::string& piece) const {
  const auto found = ids_.find(piece);
  return found == ids_.end() ? nullptr : &found->second;
}

// Merges the pair of lowest rank, leftmost first, until none is left; a heap keeps a word of n bytes at n log n.
void BytePairEncoding::encode_word(std::string_view word, int64_t unknown, std::vector<int64_t>& ids) const {
  struct Symbol {
    int32_t id, previous, next;  // next < 0: the last; id == removed: merged into its left neighbour
  };
  struct Candidate {
    Target target;
    int32_t left;
    bool operator<(const Candidate& other) const {  // std::priority_queue gives the greatest
      return target.rank != other.target.rank ? target.rank > other.target.rank : left > other.left;
    }
  };
  constexpr int32_t removed = -2;
  const auto length = static_cast<int32_t>(word.size());
  std::vector<Symbol> symbols(length);
  for (int32_t i = 0; i < length; ++i) {
    const bool last = i + 1 == length;
    symbols[i] = {(last ? last_byte_ids_ : byte_ids_)[static_cast<uint8_t>(word[i])], i - 1, last ? -1 : i + 1};
  }
  const auto target_at = [&](int32_t left) -> const Target* {
    if (left < 0 || symbols[left].next < 0) return nullptr;
    const auto found = merges_.find(pair_key(symbols[left].id, symbols[symbols[left].next].id));
    return found == merges_.end() ? nullptr : &found->second;
  };
  std::priority_queue<Candidate> queue;
  const auto consider = [&](int32_t left) {
    if (const auto* target = target_at(left)) queue.push({*target, left});
  };
  for (int32_t i = 0; i + 1 < length; ++i) consider(i);
  while (!queue.empty()) {
    const auto [target, left] = queue.top();
    queue.pop();
    if (symbols[left].id == removed) continue;
    const auto* now = target_at(left);
    if (!now || now->id != target.id) continue;  // a neighbour was merged meanwhile
    auto& right = symbols[symbols[left].next];
    right.id = removed;
    symbols[left].id = target.id;
    symbols[left].next = right.next;
    if (right.next >= 0) symbols[right.next].previous = left;
    consider(symbols[left].previous);
    consider(left);
  }
  for (int32_t i = 0; i >= 0 && i < length; i = symbols[i].next)
    ids.push_back(symbols[i].id == no_piece ? unknown : symbols[i].id);
}

}  // namespace negativa
