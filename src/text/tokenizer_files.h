#pragma once
// A tokenizer folder as read, before anything is built of it.
#include <filesystem>

#include "text/byte_pair_encoding.h"

namespace negativa {

// A token matched in the text before it is split into words.
struct AddedToken {
  std::string content;
  int64_t id = -1;          // -1: where the vocabulary has it, or behind its end
  bool normalized = false;  // matched after NFC, white space and lower case; otherwise in the raw text
};

struct TokenizerFiles {
  std::string where;  // the folder, for messages
  std::vector<std::string> pieces;
  std::vector<Merge> merges;
  std::string bos = "<|startoftext|>", eos = "<|endoftext|>", unknown = "<|endoftext|>", pad = "<|endoftext|>";
  std::vector<AddedToken> added;  // the four special ones included
  int64_t max_length = 77;
};

// Reads one of: tokenizer.json (transformers 5); vocab.json + merges.txt (transformers 4); merges.txt alone. In each case
// tokenizer_config.json and special_tokens_map.json (the former wins) say the special tokens, where they exist.
// Throws ErrorKind::input (no such files), ErrorKind::file_format or ErrorKind::missing_key (broken ones).
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

}  // namespace negativa
