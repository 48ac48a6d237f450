#include "text/tokens_report.h"

#include "base/json.h"
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

// Rows of a table up to EOS, then the number of pads behind it.
void append_row(std::string& table, const TokensReport::Part& part, size_t row) {
  const auto& ids = part.tokens.ids[row];
  size_t used = ids.size();
  while (used > 2 && ids[used - 1] == part.pad && (ids[used - 2] == part.pad || ids[used - 2] == part.eos)) --used;
  for (size_t i = 0; i < used; ++i)
    table += fmt::format("  {:>3}  {:>6}  {:>7.4g}  {}\n", i, ids[i], part.tokens.weights[row][i], part.pieces[row][i]);
  if (used < ids.size()) table += fmt::format("  and {} pads ({})\n", ids.size() - used, part.pad);
}

}  // namespace

Tokenizers load_tokenizers(const std::filesystem::path& model) {
  if (!std::filesystem::is_directory(model)) {
    const ModelFiles files = open_model(model);
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

std::string tokens_table(const TokensReport& report) {
  std::string table;
  for (const auto& part : report.parts) {
    for (size_t row = 0; row < part.tokens.ids.size(); ++row) {
      const auto count = part.tokens.ids.size();
      table +=
          part.name + (count > 1 ? fmt::format(", text {} of {}", row + 1, count) : "") + "\n  row      id   weight  piece\n";
      append_row(table, part, row);
    }
    if (part.tokens.cut) table += fmt::format("  {} tokens did not fit\n", part.tokens.cut);
  }
  if (!report.cut.empty()) table += "cut: " + report.cut + "\n";
  return table;
}

std::string tokens_json(const TokensReport& report) {
  nlohmann::ordered_json json;
  for (const auto& part : report.parts)
    json[part.name] = {{"ids", part.tokens.ids}, {"weights", part.tokens.weights}, {"pieces", part.pieces}};
  json["cut"] = report.cut;
  return json.dump() + "\n";
}

}  // namespace negativa
