#include "text/tokenizer.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "text/unicode.h"

namespace negativa {

namespace {

// NFC, every run of white space to one space, lower case.
std::string normalize(std::string_view text) {
  const std::string composed = nfc(text);
  std::string spaced;
  spaced.reserve(composed.size());
  for (size_t at = 0; at < composed.size();) {
    const size_t begin = at;
    if (is_space(next_code_point(composed, at))) {
      if (!spaced.ends_with(' ')) spaced += ' ';
    } else {
      spaced.append(composed, begin, at - begin);
    }
  }
  return lowercase(spaced);
}

bool is_symbol(char32_t c) { return !is_space(c) && !is_letter(c) && !is_number(c); }

// End of the run of code points from `at` on that `belongs` accepts.
size_t run_end(std::string_view text, size_t at, bool (*belongs)(char32_t)) {
  while (at < text.size()) {
    size_t next = at;
    if (!belongs(next_code_point(text, next))) break;
    at = next;
  }
  return at;
}

// <\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+ , first alternative that matches.
// The byte-level stage behind it splits again by GPT-2's expression, which only ever takes the two literals apart.
template <class Word>
void for_each_word(std::string_view text, const Word& word) {
  static constexpr std::string_view literals[] = {"<|startoftext|>", "<|endoftext|>"};
  static constexpr std::string_view contractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (size_t at = 0; at < text.size();) {
    const auto rest = text.substr(at);
    const auto begins = [rest](std::string_view prefix) { return rest.starts_with(prefix); };
    size_t behind = at;
    const char32_t first = next_code_point(text, behind);
    if (const auto* literal = std::find_if(std::begin(literals), std::end(literals), begins); literal != std::end(literals)) {
      word(literal->substr(0, 2));
      word(literal->substr(2, literal->size() - 4));
      word(literal->substr(literal->size() - 2));
      at += literal->size();
      continue;
    }
    const auto* contraction = std::find_if(std::begin(contractions), std::end(contractions), begins);
    if (contraction != std::end(contractions))
      behind = at + contraction->size();
    else if (is_letter(first))
      behind = run_end(text, at, is_letter);
    else if (is_symbol(first))
      behind = run_end(text, at, is_symbol);
    if (!is_space(first)) word(text.substr(at, behind - at));
    at = behind;
  }
}

}  // namespace

Tokenizer Tokenizer::load(const std::filesystem::path& folder) { return Tokenizer(read_tokenizer_files(folder)); }

Tokenizer::Tokenizer(const TokenizerFiles& files)
    : encoding_(std::make_shared<BytePairEncoding>(files.pieces, files.merges, files.where)), max_length_(files.max_length) {
  auto added = files.added;
  std::stable_sort(added.begin(), added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& token : added) {
    const auto* known = find(token.content);
    check(known || token.id >= 0, ErrorKind::file_format,
          "[{}] the special token \"{}\" is not in the vocabulary; are the files of one tokenizer?", files.where, token.content);
    check(token.id < 0 || token.id == (known ? *known : size()), ErrorKind::file_format,
          "[{}] the token \"{}\" has id {}, expected {}; are the files of one tokenizer?", files.where, token.content, token.id,
          known ? *known : size());
    add(token);
  }
  const auto id_of = [&](const std::string& content) { return *find(content); };
  bos_ = id_of(files.bos), eos_ = id_of(files.eos), unknown_ = id_of(files.unknown), pad_ = id_of(files.pad);
}

int64_t Tokenizer::size() const { return static_cast<int64_t>(encoding_->pieces().size() + added_pieces_.size()); }

const int64_t* Tokenizer::find(const std::string& piece) const {
  const auto added = std::find(added_pieces_.begin(), added_pieces_.end(), piece);
  return added == added_pieces_.end() ? encoding_->find(piece) : &added_ids_[added - added_pieces_.begin()];
}

void Tokenizer::add(const AddedToken& token) {
  if (!find(token.content)) {
    added_ids_.push_back(size());
    added_pieces_.push_back(token.content);
  }
  auto& matches = token.normalized ? normalized_ : raw_;
  matches.push_back({token.normalized ? normalize(token.content) : token.content, {*find(token.content)}});
  // The last vector of a name registered before as NAME, NAME_1 …: NAME now stands for one more.
  if (const auto dash = token.content.rfind('_'); dash != std::string::npos) {
    const auto* base = find(token.content.substr(0, dash));
    for (auto& match : matches)
      if (base && match.ids.front() == *base && token.content.substr(dash + 1) == std::to_string(match.ids.size()))
        match.ids.push_back(*find(token.content));
  }
  sort_by_length(matches);
}

void Tokenizer::sort_by_length(std::vector<Match>& matches) {
  std::stable_sort(matches.begin(), matches.end(), [](const Match& a, const Match& b) { return a.text.size() > b.text.size(); });
}

void Tokenizer::check_free(const std::string& name) const {
  const auto text = normalize(name);
  const bool taken =
      find(name) || std::any_of(normalized_.begin(), normalized_.end(), [&](const Match& m) { return m.text == text; });
  check(!taken, ErrorKind::input, "[embedding] the name \"{}\" is a token already; give it another name with FILE=NAME", name);
}

void Tokenizer::add_name(const std::string& other, const std::string& name) {
  check_utf8(other, "embedding name");
  check_free(other);
  const auto known =
      std::find_if(normalized_.begin(), normalized_.end(), [text = normalize(name)](const Match& m) { return m.text == text; });
  check(known != normalized_.end(), ErrorKind::input, "[embedding] got the second name \"{}\" for \"{}\", which was not added",
        other, name);
  normalized_.push_back({normalize(other), known->ids});
  sort_by_length(normalized_);
}

int64_t Tokenizer::add_token(const std::string& name, int64_t count) {
  check_utf8(name, "embedding name");
  check(!normalize(name).empty() && normalize(name) != " " && count >= 1, ErrorKind::input,
        "[embedding] got the name \"{}\" with {} vectors, expected a name with letters and at least one vector", name, count);
  const int64_t first = size();
  for (int64_t i = 0; i < count; ++i) {
    const auto each = i == 0 ? name : fmt::format("{}_{}", name, i);
    check_free(each);
    add({each, -1, true});
  }
  return first;
}

const Tokenizer::Match* Tokenizer::match_at(const std::vector<Match>& matches, std::string_view text, size_t at) {
  for (const auto& match : matches)
    if (text.substr(at).starts_with(match.text)) return &match;
  return nullptr;
}

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  check_utf8(text, "prompt");
  std::vector<int64_t> ids;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const auto* match = match_at(raw_, text, at);
    if (!match) {
      ++at;
      continue;
    }
    encode_normalized(normalize(text.substr(begin, at - begin)), ids);
    ids.insert(ids.end(), match->ids.begin(), match->ids.end());
    begin = at += match->text.size();
  }
  encode_normalized(normalize(text.substr(begin)), ids);
  return ids;
}

void Tokenizer::encode_normalized(std::string_view text, std::vector<int64_t>& ids) const {
  const auto encode_words = [&](std::string_view part) {
    for_each_word(part, [&](std::string_view word) { encoding_->encode_word(word, unknown_, ids); });
  };
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const auto* match = match_at(normalized_, text, at);
    if (!match) {
      ++at;
      continue;
    }
    encode_words(text.substr(begin, at - begin));
    ids.insert(ids.end(), match->ids.begin(), match->ids.end());
    begin = at += match->text.size();
  }
  encode_words(text.substr(begin));
}

Tokens Tokenizer::tokenize(std::string_view text) const {
  const auto ids = encode(text);
  return fit(ids, std::vector<double>(ids.size(), 1.0));
}

Tokens Tokenizer::fit(const std::vector<int64_t>& ids, const std::vector<double>& weights) const {
  const auto kept = std::min<int64_t>(static_cast<int64_t>(ids.size()), max_length_ - 2);
  std::vector<int64_t> row{bos_};
  row.insert(row.end(), ids.begin(), ids.begin() + kept);
  row.push_back(eos_);
  row.resize(max_length_, pad_);
  std::vector<double> row_weights{1.0};
  row_weights.insert(row_weights.end(), weights.begin(), weights.begin() + kept);
  row_weights.resize(max_length_, 1.0);
  const std::vector<int64_t> cut(ids.begin() + kept, ids.end());
  return {{row}, {row_weights}, static_cast<int64_t>(cut.size()), decode(cut)};
}

const std::string& Tokenizer::piece(int64_t id) const {
  check(id >= 0 && id < size(), ErrorKind::input, "[tokenizer] got id {}, expected one of 0 to {}", id, size() - 1);
  const auto& pieces = encoding_->pieces();
  const auto count = static_cast<int64_t>(pieces.size());
  return id < count ? pieces[id] : added_pieces_[id - count];
}

std::string Tokenizer::decode(const std::vector<int64_t>& ids) const {
  static const auto bytes = [] {
    std::unordered_map<char32_t, char> result;
    for (int byte = 0; byte < 256; ++byte) {
      size_t at = 0;
      result[next_code_point(byte_characters()[byte], at)] = static_cast<char>(byte);
    }
    return result;
  }();
  std::string text;
  for (const auto id : ids) {
    std::string_view left = piece(id);
    const bool ends_word = left.ends_with(word_end) || id == eos_ || id >= static_cast<int64_t>(encoding_->pieces().size());
    if (left.ends_with(word_end)) left.remove_suffix(word_end.size());
    for (size_t at = 0; at < left.size();) {
      const size_t begin = at;
      const auto found = bytes.find(next_code_point(left, at));
      if (found == bytes.end())
        text.append(left.substr(begin, at - begin));
      else
        text += found->second;
    }
    if (ends_word) text += ' ';
  }
  if (text.ends_with(' ')) text.pop_back();
  return valid_utf8(text);
}

}  // namespace negativa
