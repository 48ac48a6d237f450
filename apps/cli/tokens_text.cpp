#include "tokens_text.h"

#include "base/json.h"

namespace negativa::cli {

namespace {

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

std::string text_of(const TokensReport& report) {
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

std::string json_of(const TokensReport& report) {
  nlohmann::ordered_json json;
  for (const auto& part : report.parts)
    json[part.name] = {{"ids", part.tokens.ids}, {"weights", part.tokens.weights}, {"pieces", part.pieces}};
  json["cut"] = report.cut;
  return json.dump() + "\n";
}

}  // namespace negativa::cli
