#pragma once
// CLIP's tokenizer as transformers' CLIPTokenizer does it: special tokens found in the raw text, then NFC, white space to one
// space, lower case, added names, words by a regular expression, byte pair encoding of each word.
#include <filesystem>
#include <memory>

#include "text/tokenizer_files.h"

namespace negativa {

// A text as an encoder reads it.
struct Tokens {
  std::vector<std::vector<int64_t>> ids;     // [n,77]: BOS, at most 75 tokens, EOS, pads
  std::vector<std::vector<double>> weights;  // [n,77]; 1 at BOS, EOS and pads
  int64_t cut = 0;                           // tokens that did not fit
  std::string cut_text;                      // what they say
};

// Cheap to copy: copies share the vocabulary and own their added names. Safe to share between threads while nothing is added.
class Tokenizer {
 public:
  // Throws as read_tokenizer_files does; ErrorKind::file_format when the files do not fit each other.
  static Tokenizer load(const std::filesystem::path& folder);
  explicit Tokenizer(const TokenizerFiles& files);

  // Ids without BOS and EOS, of any number. Throws ErrorKind::input when the text is not UTF-8.
  std::vector<int64_t> encode(std::string_view text) const;
  // One row of max_length() ids. What does not fit is cut at the end; EOS is kept.
  Tokens tokenize(std::string_view text) const;
  // The same for ids that are there already.
  Tokens fit(const std::vector<int64_t>& ids, const std::vector<double>& weights) const;

  // "wrong</w>", as in the vocabulary. Throws ErrorKind::input for an id that does not exist.
  const std::string& piece(int64_t id) const;
  // Text of the ids: word ends become spaces.
  std::string decode(const std::vector<int64_t>& ids) const;

  // Makes NAME (and NAME_1 … NAME_{count-1}, which NAME then stands for) tokens of their own: matched in the lower-cased text,
  // also inside words, longest name first. Returns the first id; the others follow. Throws ErrorKind::input when a name is taken.
  int64_t add_token(const std::string& name, int64_t count = 1);

  // Another name for the ids that `name`, added before, stands for. Throws ErrorKind::input when it is taken.
  void add_name(const std::string& other, const std::string& name);

  int64_t size() const;  // ids are below it
  int64_t bos() const { return bos_; }
  int64_t eos() const { return eos_; }
  int64_t pad() const { return pad_; }
  int64_t max_length() const { return max_length_; }  // 77

 private:
  struct Match {
    std::string text;          // as searched for
    std::vector<int64_t> ids;  // what it stands for
  };
  const int64_t* find(const std::string& piece) const;
  void add(const AddedToken& token);
  void check_free(const std::string& name) const;
  static void sort_by_length(std::vector<Match>& matches);
  void encode_normalized(std::string_view text, std::vector<int64_t>& ids) const;
  static const Match* match_at(const std::vector<Match>& matches, std::string_view text, size_t at);

  std::shared_ptr<const BytePairEncoding> encoding_;
  std::vector<std::string> added_pieces_;  // of the ids behind the vocabulary
  std::vector<int64_t> added_ids_;         // their ids: values find() can point to
  std::vector<Match> raw_, normalized_;    // longest first
  int64_t bos_ = 0, eos_ = 0, pad_ = 0, unknown_ = 0, max_length_ = 77;
};

}  // namespace negativa
