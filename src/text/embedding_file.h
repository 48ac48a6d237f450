#pragma once
// Textual inversion (Gal et al. 2022, arXiv:2208.01618): names in a prompt that stand for trained rows of the token embedding.
#include "io/safetensors.h"
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

// Safetensors with the keys clip_l and/or clip_g; or with one tensor [d] or [k,d] of any key (diffusers' {token: tensor}, webui's
// emb_params), which belongs to the encoder of its width. `name`: absent: the file's stem, and `also` is the token that the file
// stores where it is another: the key of diffusers' tensor, or modelspec.trigger_phrase in the metadata. Throws
// ErrorKind::file_format, with what to do for pickles
// (.pt, .bin), ErrorKind::shape for vectors of another model.
Embedding load_embedding(const std::filesystem::path& path, const std::optional<std::string>& name,
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
