#include "experiment/references.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/file_names.h"
#include "base/text.h"

namespace negativa {

namespace {

template <class Table>
const Table* find_table(const std::vector<Table>& tables, std::string_view name) {
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const Table& table) { return table.name == name; });
  return found == tables.end() ? nullptr : &*found;
}

template <class Table>
std::string nearest(const std::vector<Table>& tables, std::string_view name) {
  std::vector<std::string> names;
  for (const auto& table : tables) names.push_back(table.name);
  return did_you_mean(name, names);
}

bool is_file(const Path& path) {
  std::error_code ignored;
  return !path.empty() && std::filesystem::exists(path, ignored);
}

int64_t read_steps(const LoraTable& table, std::string_view text, const std::string& where) {
  int64_t steps = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), steps);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  const bool kept = is_number && !table.set.empty() &&
                    (steps == table.train.step.steps ||
                     std::find(table.checkpoints.begin(), table.checkpoints.end(), steps) != table.checkpoints.end());
  std::string expected = "expected " + table.name + ", which is not trained here and so has no checkpoints";
  if (!table.set.empty()) {
    std::vector<std::string> all;
    for (const int64_t one : table.checkpoints) all.push_back(std::to_string(one));
    all.push_back(std::to_string(table.train.step.steps));
    expected = "expected one of loras." + table.name + "'s checkpoints or all its steps: " + joined(all, ", ");
  }
  check(kept, ErrorKind::input, "[{}] got {}@{}, {}", where, table.name, text, expected);
  return steps;
}

}  // namespace

LoraReference find_lora(const ExperimentFile& file, const std::string& text, const std::string& where) {
  LoraReference reference;
  reference.spec = parse_lora_spec(text, where);
  const std::string path = reference.spec.path.string(), name = path.substr(0, path.find('@'));
  reference.table = find_table(file.loras, name);
  if (reference.table && name.size() < path.size())
    reference.steps = read_steps(*reference.table, std::string_view(path).substr(name.size() + 1), where);
  check(reference.table || is_file(reference.spec.path), ErrorKind::input, "[{}] {} is neither one of [loras] nor a file{}",
        where, path, nearest(file.loras, reference.spec.path.filename().string()));
  return reference;
}

EmbeddingReference find_embedding(const ExperimentFile& file, const std::string& text, const std::string& where) {
  EmbeddingReference reference;
  reference.table = find_table(file.embeddings, text);
  if (reference.table) return reference;
  reference.spec = parse_embedding_spec(text);
  check(is_file(reference.spec.path), ErrorKind::input, "[{}] {} is neither one of [embeddings] nor a file{}", where,
        reference.spec.path.string(), nearest(file.embeddings, reference.spec.path.filename().string()));
  return reference;
}

bool is_trained(const ExperimentFile& file, const LoraTable& lora) {
  if (!lora.set.empty() || !lora.random_of.empty()) return true;
  return std::any_of(lora.merge.begin(), lora.merge.end(), [&](const std::string& part) {
    const auto* table = find_lora(file, part, file.path.string()).table;
    return table && is_trained(file, *table);
  });
}

bool has_trained(const ExperimentFile& file, const DrawOptions& draw) {
  for (const auto& text : draw.picture.lora)
    if (const auto* table = find_lora(file, text, file.path.string()).table; table && is_trained(file, *table)) return true;
  for (const auto& text : draw.model.embedding)
    if (const auto* table = find_embedding(file, text, file.path.string()).table; table && !table->set.empty()) return true;
  return false;
}

std::vector<PlannedPrompt> prompts_of(const ExperimentFile& file, const std::string& list) {
  const auto found = file.prompts.lists.find(list);
  if (found == file.prompts.lists.end()) {
    std::vector<std::string> names;
    for (const auto& [name, prompts] : file.prompts.lists) names.push_back(name);
    fail(ErrorKind::input, "[{}] [prompts] has no list {}{}", file.path.string(), list, did_you_mean(list, names));
  }
  auto prompts = found->second;
  if (file.prompts.first && list == file.prompts.draw)
    prompts.resize(std::min(prompts.size(), static_cast<size_t>(*file.prompts.first)));
  return prompts;
}

}  // namespace negativa
