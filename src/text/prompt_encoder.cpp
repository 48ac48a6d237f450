#include "text/prompt_encoder.h"

namespace negativa {

namespace {

Tensor padded(const Tensor& embeds, const Tensor& empty, int64_t length) {
  const auto missing = length - embeds.size(1);
  check(missing % empty.size(1) == 0, ErrorKind::shape, "[prompt] got embeddings of {} and {} rows, expected multiples of {}",
        embeds.size(1), length, empty.size(1));
  if (missing == 0) return embeds;
  std::vector<Tensor> parts{embeds};
  parts.insert(parts.end(), missing / empty.size(1), empty.expand({embeds.size(0), -1, -1}));
  return at::cat(parts, 1);
}

// Rows are found by id - vocab_size, so both counts must agree before names are added.
void check_vocabulary(const TextStage& stage, const char* name) {
  check(stage.tokenizer.size() == stage.model.config.vocab_size, ErrorKind::file_format,
        "[embedding] {} has {} entries and its encoder {}, expected the same; are they of one model?", name,
        stage.tokenizer.size(), stage.model.config.vocab_size);
}

struct Stage {
  AddedEmbeddings added;
  TextForward forward;
};

Stage prepare(const TextStage& stage, const PromptRequest& request, bool second) {
  if (!request.embeddings.empty()) check_vocabulary(stage, second ? "tokenizer_2" : "tokenizer");
  Stage result{add_embeddings(stage.tokenizer, request.embeddings, second ? &Embedding::clip_g : &Embedding::clip_l), {}};
  result.forward.adapters = second ? request.adapters_2 : request.adapters;
  result.forward.compute = request.compute;
  if (result.added.rows.defined())
    result.forward.added_rows = result.added.rows.to(stage.model.text_model.final_layer_norm.weight.device());
  if (request.pooled_row == PooledRow::end_token) result.forward.eos_id = stage.tokenizer.eos();
  return result;
}

}  // namespace

EmbeddingWidths embedding_widths(const TextModels& models) {
  EmbeddingWidths widths;
  if (models.first) widths.clip_l = models.first->model.config.hidden_size;
  widths.clip_g = models.second.model.config.hidden_size;
  return widths;
}

PromptEmbeds encode_prompt(const TextModels& models, const PromptRequest& request) {
  const auto& text_2 = models.first ? request.prompt_2.value_or(request.prompt) : request.prompt;
  const bool plain = request.weighting == Weighting::none;
  PromptEmbeds result;
  const auto encode = [&](PromptEncoding& encoding, const std::string& text) {
    if (plain) return encoding.plain(text);
    const auto prompt = parse_prompt(text);
    result.ignored = prompt.ignored;
    return encoding.weighted(prompt);
  };

  const auto stage_2 = prepare(models.second, request, true);
  PromptEncoding encoding_2(stage_2.added.tokenizer, models.second.model, stage_2.forward);
  Tensor context = encode(encoding_2, text_2);
  result.pooled_prompt_embeds =
      encoding_2.pooled(plain || request.pooled == PooledFrom::raw ? text_2 : clean_text(parse_prompt(text_2)));
  result.cut = encoding_2.cut();
  if (models.first) {
    const auto stage_1 = prepare(*models.first, request, false);
    PromptEncoding encoding_1(stage_1.added.tokenizer, models.first->model, stage_1.forward);
    Tensor context_1 = encode(encoding_1, request.prompt);
    const auto rows = std::max(context_1.size(1), context.size(1));
    if (context_1.size(1) < rows) context_1 = padded(context_1, encoding_1.empty(), rows);
    if (context.size(1) < rows) context = padded(context, encoding_2.empty(), rows);
    context = at::cat({context_1, context}, -1);
    if (!encoding_1.cut().empty()) result.cut = encoding_1.cut();
  }
  result.prompt_embeds = context;
  return result;
}

PromptEmbeds zeros_like(const PromptEmbeds& embeds) {
  return {at::zeros_like(embeds.prompt_embeds), at::zeros_like(embeds.pooled_prompt_embeds), "", ""};
}

void pad_to_length(PromptEmbeds& embeds, int64_t tokens, const PromptEmbeds& empty) {
  embeds.prompt_embeds = padded(embeds.prompt_embeds, empty.prompt_embeds, tokens);
}

void pad_to_same_length(PromptEmbeds& a, PromptEmbeds& b, const PromptEmbeds& empty) {
  const auto tokens = std::max(a.prompt_embeds.size(1), b.prompt_embeds.size(1));
  pad_to_length(a, tokens, empty);
  pad_to_length(b, tokens, empty);
}

}  // namespace negativa
