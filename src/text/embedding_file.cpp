#include "text/embedding_file.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "text/unicode.h"

namespace negativa {

namespace {

Tensor vectors_of(const SafetensorsFile& file, const TensorEntry& entry) {
  Tensor tensor = file.load(entry, at::kFloat);
  if (tensor.dim() == 1) tensor = tensor.unsqueeze(0);
  check(tensor.dim() == 2 && tensor.size(0) > 0 && tensor.size(0) <= 75, ErrorKind::shape,
        "[{}] \"{}\": got shape {}, expected [width] or [1 to 75 vectors, width]", file.path().string(), entry.name,
        to_string(entry.shape));
  return tensor;
}

void check_width(const SafetensorsFile& file, const char* key, const Tensor& vectors, int64_t width) {
  check(vectors.size(1) == width, ErrorKind::shape,
        "[{}] {}: got vectors {} wide, expected {}; is it an embedding for another model?", file.path().string(), key,
        vectors.size(1), width);
}

constexpr const char* trigger_key = "modelspec.trigger_phrase";
constexpr std::array<std::string_view, 2> plain_keys = {"emb_params", "string_to_param.*"};  // webui's, which say nothing

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

void check_no_stranger(const SafetensorsFile& file) {
  for (const auto& [part, what] : strangers)
    for (const auto& entry : file.entries())
      check(entry.name.find(part) == std::string::npos, ErrorKind::file_format,
            "[{}] got a file for something else, expected a textual inversion: it is {}", file.path().string(), what);
}

// The tensor of a file that has no clip_l and clip_g.
const TensorEntry& only_entry(const SafetensorsFile& file) {
  check_no_stranger(file);
  for (const auto key : plain_keys)
    if (const auto* entry = file.find(key)) return *entry;
  check(file.entries().size() == 1, ErrorKind::file_format,
        "[{}] got {} tensors, expected clip_l and clip_g, or one; is this a textual inversion (a LoRA goes to --lora)?",
        file.path().string(), file.entries().size());
  return file.entries().front();
}

// Empty: the file stores none, or one that is the stem anyway. A phrase of several parts names no single thing.
std::string stored_token(const SafetensorsFile& file, const std::string& stem) {
  std::string token;
  if (const auto found = file.metadata().find(trigger_key); found != file.metadata().end()) token = found->second;
  const bool is_key = !file.find("clip_l") && !file.find("clip_g") && file.entries().size() == 1;
  if (token.empty() && is_key && !is_among(plain_keys, file.entries().front().name)) token = file.entries().front().name;
  const bool is_name = !token.empty() && valid_utf8(token) == token && token.find_first_of(",\n\r\t") == std::string::npos &&
                       token.find_first_not_of(' ') != std::string::npos;
  return is_name && lowercase(nfc(token)) != lowercase(nfc(valid_utf8(stem))) ? token : "";
}

}  // namespace

Embedding load_embedding(const std::filesystem::path& path, const std::optional<std::string>& name,
                         const EmbeddingWidths& widths) {
  const auto file = SafetensorsFile::open(path);
  Embedding embedding{name.value_or(path.stem().string()), {}, {}};
  if (!name) embedding.also = stored_token(*file, embedding.name);
  const auto *clip_l = file->find("clip_l"), *clip_g = file->find("clip_g");
  if (!clip_l && !clip_g) {
    const auto vectors = vectors_of(*file, only_entry(*file));
    const bool fits_l = widths.clip_l && vectors.size(1) == *widths.clip_l;
    check(fits_l || vectors.size(1) == widths.clip_g, ErrorKind::shape,
          "[{}] got vectors {} wide, expected {}{}; is it an embedding for another model?", path.string(), vectors.size(1),
          widths.clip_l ? fmt::format("{} or ", *widths.clip_l) : "", widths.clip_g);
    check(!fits_l || widths.clip_l != widths.clip_g, ErrorKind::file_format,
          "[{}] does not say for which encoder it is; name its tensor clip_l or clip_g", path.string());
    (fits_l ? embedding.clip_l : embedding.clip_g) = vectors;
    return embedding;
  }
  for (const auto& entry : file->entries())
    check(entry.name == "clip_l" || entry.name == "clip_g", ErrorKind::file_format,
          "[{}] holds {} beside clip_l and clip_g{}, which is not supported; save it without", path.string(), entry.name,
          entry.name.ends_with("_out") ? ", an output embedding as OneTrainer trains it" : "");
  if (clip_l && widths.clip_l) check_width(*file, "clip_l", embedding.clip_l = vectors_of(*file, *clip_l), *widths.clip_l);
  if (clip_g) check_width(*file, "clip_g", embedding.clip_g = vectors_of(*file, *clip_g), widths.clip_g);
  return embedding;
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
