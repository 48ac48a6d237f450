#pragma once
// Textual inversion (Gal et al. 2022, arXiv:2208.01618): names in a prompt that stand for trained rows of the token embedding.
#include "io/tensor_file.h"
#include "text/tokenizer.h"

namespace negativa {

// One name and its k vectors for each encoder; an undefined tensor: for that encoder the name is ordinary text.
struct Embedding {
  std::string name;
  Tensor clip_l;          // [k, width of text_encoder], fp32
  Tensor clip_g;          // [k, width of text_encoder_2], fp32
  std::string also = {};  // a second name of the same vectors: the token that the file itself stores; empty: none
};

// What the encoders of a model expect of an embedding's vectors; absent: the model has no such encoder.
struct EmbeddingWidths {
  std::optional<int64_t> clip_l;
  int64_t clip_g = 0;
};

struct EmbeddingFile {
  std::vector<Embedding> words;  // at least one; those of one file that holds several, in its order
  std::string notice;            // what is worth a line: an encoder that has no vectors; empty: nothing
};

// The files of an embedding: the path itself; of diffusers' pair the two, where `path` is learned_embeds.EXT with
// learned_embeds_2.EXT beside it, or the folder that holds them. Throws ErrorKind::input for a folder without them.
std::vector<std::filesystem::path> embedding_paths(const std::filesystem::path& path);

// Safetensors or what torch.save wrote (.pt, .bin), in one of these forms:
//   clip_l and/or clip_g                 [k,d] of each encoder
//   text_encoders_0 and/or _1            pivotal tuning's: one vector a word, <s0>, <s1> …; the name stands for all of them in a
//   row string_to_param.*, emb_params        the webui's, of the encoder of its width; the token is `name` of a .pt {token: [d]
//   or [k,d]}, one or more   diffusers', of the encoder of its width; a pair's two files have the same tokens
// One word is called `name`, absent: the stem, and `also` is the token that the file stores where it is another: the tensor's
// key, a .pt's name, or modelspec.trigger_phrase in the metadata. Several words are called by their tokens. Throws
// ErrorKind::file_format, ErrorKind::input for a name given to several words, ErrorKind::shape for vectors of another model.
EmbeddingFile load_embedding(const std::filesystem::path& path, const std::optional<std::string>& name,
                             const EmbeddingWidths& widths);

// A tokenizer that knows the names, and the rows its new ids stand for, in their order. The model itself stays as it is.
struct AddedEmbeddings {
  Tokenizer tokenizer;
  Tensor rows;  // [n,width]; undefined: none
};

// Whether a name would be a new one: no token of the vocabulary, nor a word that is one ("lion</w>").
bool is_free_name(const Tokenizer& tokenizer, const std::string& name);

// `vectors`: which of an embedding's tensors (&Embedding::clip_l for the first encoder).
AddedEmbeddings add_embeddings(const Tokenizer& tokenizer, const std::vector<Embedding>& embeddings, Tensor Embedding::*vectors);

}  // namespace negativa
