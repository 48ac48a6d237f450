#pragma once
// Prompt to embeddings: what the UNet is conditioned on. SDXL: Podell et al. 2023, arXiv:2307.01952, section 2.1.
#include "text/embedding_file.h"
#include "text/weighting.h"

namespace negativa {

struct TextStage {
  Tokenizer tokenizer;
  CLIPTextModel model;
};

// The refiner has only the second.
struct TextModels {
  std::optional<TextStage> first;  // CLIP-L
  TextStage second;                // OpenCLIP bigG, with projection
};

EmbeddingWidths embedding_widths(const TextModels& models);

enum class PooledFrom { raw, clean };  // raw: the prompt as typed, weights' syntax included, as Compel does
// Row of the pooled vector when a prompt has added names. diffusers: the first added name's, since its id is the greatest;
// end_token: EOS's.
enum class PooledRow { diffusers, end_token };

struct PromptRequest {
  std::string prompt;
  std::optional<std::string> prompt_2;  // for the second encoder where there are two; absent: prompt
  Weighting weighting = Weighting::compel;
  PooledFrom pooled = PooledFrom::raw;
  PooledRow pooled_row = PooledRow::diffusers;
  const nn::Adapters* adapters = &nn::Adapters::none();    // of the first encoder
  const nn::Adapters* adapters_2 = &nn::Adapters::none();  // of the second
  std::vector<Embedding> embeddings;
  DType compute = at::kFloat;
};

struct PromptEmbeds {
  Tensor prompt_embeds;         // [1,77n,D]; n > 1 for a conjunction; D: widths of both encoders, the first's columns first
  Tensor pooled_prompt_embeds;  // [1,P], of the second encoder
  std::string cut;              // text that did not fit into 77 tokens; empty: all did
  std::string ignored;          // text behind .and(…)
};

// Throws as parse_prompt does, and ErrorKind::input for names that are taken.
PromptEmbeds encode_prompt(const TextModels& models, const PromptRequest& request);

// All zeros, shaped like the positive ones: the negative side where none is given and the model says
// force_zeros_for_empty_prompt.
PromptEmbeds zeros_like(const PromptEmbeds& embeds);

// Makes it that many tokens long with the rows of `empty`, the embeddings of "".
void pad_to_length(PromptEmbeds& embeds, int64_t tokens, const PromptEmbeds& empty);

// Makes both as long as the longer one with the rows of `empty`, the embeddings of "": guidance needs equal lengths.
void pad_to_same_length(PromptEmbeds& a, PromptEmbeds& b, const PromptEmbeds& empty);

}  // namespace negativa
