#include "text/tokens_report.h"

#include "base/names.h"
#include "io/model_files.h"

namespace negativa {

namespace {

TokensReport::Part part_of(const Tokenizer& tokenizer, std::string name, const std::string& prompt, Weighting weighting) {
  TokensReport::Part part{std::move(name), prompt_tokens(tokenizer, prompt, weighting), {}, tokenizer.bos(), tokenizer.eos(),
                          tokenizer.pad()};
  for (const auto& row : part.tokens.ids) {
    auto& pieces = part.pieces.emplace_back();
    for (const auto id : row) pieces.push_back(tokenizer.piece(id));
  }
  return part;
}

}  // namespace

Tokenizers load_tokenizers(const std::filesystem::path& model, const Places& places) {
  if (!std::filesystem::is_directory(model)) {
    const ModelFiles files = open_model(model, places);
    const auto load = [&](const char* part) { return Tokenizer::load(files.tokenizer_folder(part)); };
    return {files.has(names::tokenizer) ? std::optional(load(names::tokenizer)) : std::nullopt, load(names::tokenizer_2)};
  }
  const auto first = model / names::tokenizer;
  return {std::filesystem::exists(first) ? std::optional(Tokenizer::load(first)) : std::nullopt,
          Tokenizer::load(model / names::tokenizer_2)};
}

TokensReport tokens_report(const Tokenizers& tokenizers, const std::string& prompt, Weighting weighting) {
  TokensReport report;
  if (tokenizers.first) report.parts.push_back(part_of(*tokenizers.first, names::tokenizer, prompt, weighting));
  report.parts.push_back(part_of(tokenizers.second, names::tokenizer_2, prompt, weighting));
  for (const auto& part : report.parts)
    if (report.cut.empty()) report.cut = part.tokens.cut_text;
  return report;
}

}  // namespace negativa
