#include "rejects.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace negativa::studio {

namespace {

// A text as TOML writes it: JSON's quotes and escapes are its own.
std::string quoted(const std::string& text) { return Json(text).dump(); }

// "[arms.article]" -> its table's text, header and all.
struct Table {
  std::string name, text;
};
std::vector<Table> tables_of(const std::string& toml) {
  std::vector<Table> tables;
  for (const auto& line : split(toml, '\n')) {
    if (line.starts_with('[')) tables.push_back({line.substr(1, line.find(']') - 1), ""});
    if (!tables.empty() && !line.starts_with('#')) tables.back().text += line + "\n";
  }
  return tables;
}

std::string without_end(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  return text + "\n";
}

// Arms of sets that are drawn are not there.
bool is_of_rejects(const Table& table) {
  return table.name.starts_with("arms.") && table.text.find("\"things") == std::string::npos &&
         table.text.find("\"good") == std::string::npos;
}

std::string prompts_of(const RejectsOptions& options, const std::string& jsonl) {
  std::vector<std::string> entries;
  if (!options.texts.empty()) {
    for (const auto& line : split(options.texts, '\n'))
      if (line.find_first_not_of(" \t\r") != std::string::npos) entries.push_back(quoted(line.substr(0, line.find('\r'))));
  } else {
    for (const auto& line : split(jsonl, '\n')) {
      if (line.empty() || entries.size() == static_cast<size_t>(options.prompts)) continue;
      const Json entry = parse_json(line, "prompts");
      entries.push_back(fmt::format("{{ prompt = {}, group = {} }}", quoted(get<std::string>(entry, "prompt", "prompts")),
                                    quoted(get_or<std::string>(entry, "group", "all", "prompts"))));
    }
  }
  check(!entries.empty(), ErrorKind::input, "[texts in request] has no prompt, expected one a line");
  return joined(entries, ",\n  ");
}

// "wrong" in the stock experiment's arms is the word here.
std::string with_word(std::string text, const std::string& word) {
  const std::string stock = "negative_prompt = \"wrong", own = "negative_prompt = " + quoted(word);
  for (size_t at = 0; (at = text.find(stock, at)) != std::string::npos; at += own.size() - 1)
    text.replace(at, stock.size(), own.substr(0, own.size() - 1));
  return text;
}

std::string analysis_of(const Table& table) {
  std::string text = table.text;
  if (const auto at = text.find("\"article - good\", "); at != std::string::npos) text.erase(at, 18);
  return without_end(text);
}

}  // namespace

std::string rejects_toml(const RejectsOptions& options, const std::string& folder, const std::string& judge,
                         const StockExperiment& stock) {
  check(options.word.find_first_not_of(" \t\n") != std::string::npos, ErrorKind::input,
        "[word in request] is empty, expected a word as \"wrong\"");
  std::string toml = "# The stock experiment of experiments/wrong on pictures of one's own.\n";
  if (!options.model.empty()) toml += "model = " + quoted(options.model) + "\n";
  if (!judge.empty()) toml += "judge = " + quoted(judge) + "\n";
  toml += fmt::format("seed = 2023\nreplicates = {}\n\n[default]\nsteps = {}\ncfg_scale = {}\n", options.replicates,
                      options.steps, Json(options.cfg_scale).dump());
  toml += fmt::format("\n[prompts]\ntest = [\n  {},\n]\n", prompts_of(options, stock.prompts_jsonl));
  toml += fmt::format("\n[sets.wrong]\nfolder = {}\ncaption = {}\n", quoted(folder), quoted(options.word));
  toml += fmt::format("\n[loras.wrong]\nset = \"wrong\"\nrank = {}\nsteps = {}\nlearning_rate = {}\n", options.rank,
                      options.training_steps, Json(options.learning_rate).dump());
  toml += "\n[loras.random]\nrandom_of = \"wrong\"\n";
  for (const auto& table : tables_of(stock.toml)) {
    if (is_of_rejects(table) && table.text.find("embedding") == std::string::npos)
      toml += "\n" + with_word(without_end(table.text), options.word);
    if (table.name == "analysis") toml += "\n" + analysis_of(table);
  }
  return toml;
}

}  // namespace negativa::studio
