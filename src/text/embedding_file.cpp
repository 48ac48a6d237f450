#include "text/embedding_file.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "text/unicode.h"

namespace negativa {

namespace {

Tensor vectors_of(const TensorFile& file, const TensorEntry& entry) {
  Tensor tensor = file.load(entry, at::kFloat);
  if (tensor.dim() == 1) tensor = tensor.unsqueeze(0);
  check(tensor.dim() == 2 && tensor.size(0) > 0 && tensor.size(0) <= 75, ErrorKind::shape,
        "[{}] \"{}\": got shape {}, expected [width] or [1 to 75 vectors, width]", file.path().string(), entry.name,
        to_string(entry.shape));
  return tensor;
}

void check_width(const TensorFile& file, const char* key, const Tensor& vectors, int64_t width) {
  check(vectors.size(1) == width, ErrorKind::shape,
        "[{}] {}: got vectors {} wide, expected {}; is it an embedding for another model?", file.path().string(), key,
        vectors.size(1), width);
}

constexpr const char *trigger_key = "modelspec.trigger_phrase", *webui_key = "string_to_param.";
// Keys that say nothing: the webui's, and that of a sole tensor in a pickle.
constexpr std::array<std::string_view, 3> plain_keys = {"emb_params", "*", "tensor"};

bool is_among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// What else is given in place of a textual inversion, by a part of its keys; the first wins.
struct Stranger {
  const char *part, *what;
};
constexpr Stranger strangers[] = {
    {"bundle_emb.",
     "a LoRA with a textual inversion bundled in it; save its tensors bundle_emb.NAME.clip_l and .clip_g as clip_l and clip_g of "
     "a file of their own"},
    {".lora", "a LoRA; a LoRA goes to --lora"},
    {"_lora.", "a LoRA; a LoRA goes to --lora"},
    {".hada_", "a LyCORIS file, which is not supported"},
    {".lokr_", "a LyCORIS file, which is not supported"},
    {"model.diffusion_model.", "a whole model; a model goes to -m"},
    {"first_stage_model.", "a VAE or a whole model; a VAE goes to --vae"},
    {"decoder.conv_in.", "a VAE; a VAE goes to --vae"},
};

void check_no_stranger(const TensorFile& file) {
  for (const auto& [part, what] : strangers)
    for (const auto& entry : file.entries())
      check(entry.name.find(part) == std::string::npos, ErrorKind::file_format,
            "[{}] got a file for something else, expected a textual inversion: it is {}", file.path().string(), what);
}

bool is_valid_token(const std::string& token) {
  return !token.empty() && valid_utf8(token) == token && token.find_first_of(",\n\r\t") == std::string::npos &&
         token.find_first_not_of(' ') != std::string::npos;
}

// Empty: it is no name, or one that the word has anyway. A phrase of several parts names no single thing.
std::string also_of(const std::string& token, const std::string& name) {
  return is_valid_token(token) && lowercase(nfc(token)) != lowercase(nfc(valid_utf8(name))) ? token : "";
}

std::string metadata_of(const TensorFile& file, const char* key) {
  const auto found = file.metadata().find(key);
  return found == file.metadata().end() ? "" : found->second;
}

// What a file with one word says of its name.
std::string stored_token(const TensorFile& file) {
  if (const auto phrase = metadata_of(file, trigger_key); !phrase.empty()) return phrase;
  return metadata_of(file, "name");
}

bool is_webui_entry(const TensorEntry& entry) { return entry.name == "emb_params" || entry.name.starts_with(webui_key); }

class Reader {
 public:
  Reader(const std::filesystem::path& path, const std::optional<std::string>& name, const EmbeddingWidths& widths)
      : path_(path.has_filename() ? path : path.parent_path()), name_(name), widths_(widths) {
    for (const auto& one : embedding_paths(path)) files_.push_back(open_tensor_file(one));
  }

  EmbeddingFile read() {
    const auto& file = *files_.front();
    EmbeddingFile result;
    if (file.find("clip_l") || file.find("clip_g")) {
      result.words = {pair(file, "clip_l", "clip_g")};
    } else if (file.find("text_encoders_0") || file.find("text_encoders_1")) {
      result.words = pivotal(pair(file, "text_encoders_0", "text_encoders_1"));
    } else {
      result.words = by_token();
    }
    const auto& word = result.words.front();
    if (word.clip_l.defined() && !word.clip_g.defined())
      result.notice =
          fmt::format("has vectors for the first text encoder alone ({} wide{}): to the second its name is plain text",
                      word.clip_l.size(1), word.clip_l.size(1) == 768 ? ", as words of Stable Diffusion 1.x are" : "");
    return result;
  }

 private:
  std::string own_name() const { return name_.value_or(path_.stem().string()); }

  Embedding pair(const TensorFile& file, const char* key_l, const char* key_g) const {
    for (const auto& entry : file.entries())
      check(entry.name == key_l || entry.name == key_g, ErrorKind::file_format,
            "[{}] holds {} beside {} and {}{}, which is not supported; save it without", file.path().string(), entry.name, key_l,
            key_g, entry.name.ends_with("_out") ? ", an output embedding as OneTrainer trains it" : "");
    Embedding embedding{own_name(), {}, {}};
    if (!name_) embedding.also = also_of(stored_token(file), embedding.name);
    const auto *clip_l = file.find(key_l), *clip_g = file.find(key_g);
    if (clip_l && widths_.clip_l) check_width(file, key_l, embedding.clip_l = vectors_of(file, *clip_l), *widths_.clip_l);
    if (clip_g) check_width(file, key_g, embedding.clip_g = vectors_of(file, *clip_g), widths_.clip_g);
    return embedding;
  }

  // A trainer's <s0>, <s1> …, each a vector.
  std::vector<Embedding> pivotal(const Embedding& all) const {
    const auto rows = [](const Tensor& vectors) { return vectors.defined() ? vectors.size(0) : 0; };
    const int64_t count = std::max(rows(all.clip_l), rows(all.clip_g));
    check(!all.clip_l.defined() || !all.clip_g.defined() || rows(all.clip_l) == rows(all.clip_g), ErrorKind::shape,
          "[{}] got {} vectors in text_encoders_0 and {} in text_encoders_1, expected as many; the file is damaged",
          path_.string(), rows(all.clip_l), rows(all.clip_g));
    std::vector<Embedding> words = {all};
    const auto row = [](const Tensor& vectors, int64_t i) { return vectors.defined() ? vectors.slice(0, i, i + 1) : Tensor(); };
    for (int64_t i = 0; i < count && !name_; ++i)
      if (const auto word = fmt::format("<s{}>", i); word != all.name)
        words.push_back({word, row(all.clip_l, i), row(all.clip_g, i)});
    return words;
  }

  // To the encoder of that width. Throws ErrorKind::shape where there is none.
  void place(const TensorFile& file, const TensorEntry& entry, Embedding& embedding) const {
    const auto vectors = vectors_of(file, entry);
    const bool fits_l = widths_.clip_l && vectors.size(1) == *widths_.clip_l;
    const auto where = file.path().string();
    check(fits_l || vectors.size(1) == widths_.clip_g, ErrorKind::shape,
          "[{}] got vectors {} wide, expected {}{}; is it an embedding for another model?", where, vectors.size(1),
          widths_.clip_l ? fmt::format("{} or ", *widths_.clip_l) : "", widths_.clip_g);
    check(!fits_l || widths_.clip_l != widths_.clip_g, ErrorKind::file_format,
          "[{}] does not say for which encoder it is; name its tensor clip_l or clip_g", where);
    auto& held = fits_l ? embedding.clip_l : embedding.clip_g;
    check(!held.defined(), ErrorKind::file_format, "[{}] got vectors of {} for one encoder twice, expected once", path_.string(),
          embedding.name);
    held = vectors;
  }

  // Tokens in the order of the files.
  std::vector<Embedding> by_token() const {
    std::vector<Embedding> words;
    for (const auto& file : files_) {
      check_no_stranger(*file);
      const bool is_webuis = std::any_of(file->entries().begin(), file->entries().end(), is_webui_entry);
      for (const auto& entry : file->entries()) {
        if (is_webuis && !is_webui_entry(entry)) continue;  // string_to_token, and what else its trainer keeps
        const std::string token =
            entry.name.starts_with(webui_key) ? entry.name.substr(std::string_view(webui_key).size()) : entry.name;
        auto word = std::find_if(words.begin(), words.end(), [&](const auto& known) { return known.name == token; });
        if (word == words.end()) word = words.insert(words.end(), Embedding{token, {}, {}});
        place(*file, entry, *word);
      }
    }
    check(!words.empty(), ErrorKind::file_format, "[{}] holds no tensors; is this a textual inversion?", path_.string());
    if (words.size() == 1) return {named(std::move(words.front()))};
    check(!name_, ErrorKind::input,
          "[{}] holds {} words ({}, {} …), expected one where it is given as FILE=NAME; leave =NAME out", path_.string(),
          words.size(), words[0].name, words[1].name);
    for (const auto& word : words)
      check(is_valid_token(word.name) && !is_among(plain_keys, word.name), ErrorKind::file_format,
            "[{}] got {} tensors, of which one is called {}, expected words or clip_l and clip_g; is this a textual inversion (a "
            "LoRA goes to --lora)?",
            path_.string(), words.size(), word.name.empty() ? "nothing" : word.name);
    return words;
  }

  Embedding named(Embedding word) const {
    auto token = stored_token(*files_.front());
    if (token.empty() && !is_among(plain_keys, word.name)) token = word.name;
    word.name = own_name();
    if (!name_) word.also = also_of(token, word.name);
    return word;
  }

  const std::filesystem::path path_;
  const std::optional<std::string> name_;
  const EmbeddingWidths widths_;
  std::vector<std::shared_ptr<const TensorFile>> files_;
};

}  // namespace

std::vector<std::filesystem::path> embedding_paths(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  constexpr const char *first = "learned_embeds", *second = "learned_embeds_2";
  if (fs::is_directory(path)) {
    for (const char* extension : {".safetensors", ".bin"})
      if (fs::exists(path / (std::string(first) + extension))) return embedding_paths(path / (std::string(first) + extension));
    fail(ErrorKind::input, "[{}] is a folder without {}.safetensors, expected an embedding's file", path.string(), first);
  }
  const auto other = path.parent_path() / (second + path.extension().string());
  if (path.stem() == first && fs::exists(other)) return {path, other};
  return {path};
}

EmbeddingFile load_embedding(const std::filesystem::path& path, const std::optional<std::string>& name,
                             const EmbeddingWidths& widths) {
  return Reader(path, name, widths).read();
}

bool is_free_name(const Tokenizer& tokenizer, const std::string& name) {
  if (tokenizer.encode(name).size() == 1) return false;
  try {
    Tokenizer(tokenizer).add_token(name);
  } catch (const Error&) {
    return false;
  }
  return true;
}

AddedEmbeddings add_embeddings(const Tokenizer& tokenizer, const std::vector<Embedding>& embeddings, Tensor Embedding::*vectors) {
  AddedEmbeddings added{tokenizer, {}};
  std::vector<Tensor> rows;
  for (const auto& embedding : embeddings) {
    const auto& tensor = embedding.*vectors;
    if (!tensor.defined()) continue;
    added.tokenizer.add_token(embedding.name, tensor.size(0));
    if (!embedding.also.empty()) added.tokenizer.add_name(embedding.also, embedding.name);
    rows.push_back(tensor);
  }
  if (!rows.empty()) added.rows = at::cat(rows);
  return added;
}

}  // namespace negativa
