// [prompts]: lists in JSONL files or in the TOML itself.
#include <algorithm>
#include <sstream>

#include "base/files.h"
#include "base/text.h"
#include "experiment/experiment_reader.h"

namespace negativa {

namespace {

constexpr size_t longest_list = 100000;

PlannedPrompt prompt_from(const Json& json, const std::string& where) {
  PlannedPrompt prompt;
  if (json.is_string()) {
    prompt.text = json.get<std::string>();
  } else {
    check(json.is_object(), ErrorKind::input, "[{}] got {}, expected a text or {{\"prompt\": …, \"group\": …}}", where,
          json_excerpt(json));
    for (const auto& [key, value] : json.items()) {
      const std::vector<std::string> known{"prompt", "group"};
      check(key == "prompt" || key == "group", ErrorKind::input, "[{}] has the unknown key {}{}", where, json_excerpt(key),
            did_you_mean(key, known));
    }
    prompt.text = get<std::string>(json, "prompt", where);
    prompt.group = get_or<std::string>(json, "group", "", where);
  }
  check(prompt.text.find_first_not_of(" \t\r\n") != std::string::npos, ErrorKind::input, "[{}] has an empty prompt", where);
  return prompt;
}

void check_list(const std::vector<PlannedPrompt>& prompts, const std::string& where, const std::string& name) {
  check(!prompts.empty(), ErrorKind::input, "[{}] the list {} has no prompts", where, name);
  check(prompts.size() <= longest_list, ErrorKind::input, "[{}] the list {} has {} prompts, expected at most {}", where, name,
        prompts.size(), longest_list);
  std::set<std::string> seen;
  for (const auto& prompt : prompts)
    check(seen.insert(prompt.text).second, ErrorKind::input, "[{}] the list {} has the prompt {} twice", where, name,
          json_excerpt(prompt.text));
}

std::vector<PlannedPrompt> read_list(ExperimentReader& reader, const TomlEntry& entry) {
  if (entry.value->is_string()) return read_prompt_file(reader, entry.key, entry, "prompts");
  check(entry.value->is_array(), ErrorKind::input, "[{}] {}: got {}, expected a JSONL file's path or a list of prompts",
        reader.source.where(entry.path), entry.path, json_excerpt(*entry.value));
  std::vector<PlannedPrompt> prompts;
  for (size_t i = 0; i < entry.value->size(); ++i)
    prompts.push_back(prompt_from((*entry.value)[i], reader.source.where(toml_path(entry.path, i))));
  return prompts;
}

struct PromptKeys {
  PromptLists& lists;

  static void visit(auto& self, auto& v) {
    v("draw", self.lists.draw, "the list that arms draw");
    v("first", self.lists.first, range(int64_t{1}, static_cast<int64_t>(longest_list)), "only so many of it");
  }
};

// Choosing by prompts that also give the verdict would be peeking.
void check_test_is_apart(const ExperimentReader& reader, const TomlTable& table) {
  const auto& lists = reader.file.prompts.lists;
  const auto test = lists.find("test");
  if (test == lists.end()) return;
  std::set<std::string> tested;
  for (const auto& prompt : test->second) tested.insert(prompt.text);
  for (const auto& [name, prompts] : lists)
    for (const auto& prompt : prompts)
      check(name == "test" || !tested.contains(prompt.text), ErrorKind::input,
            "[{}] the prompt {} stands in both lists test and {}; the test list must be apart from all others", table.where(name),
            json_excerpt(prompt.text), name);
}

}  // namespace

std::vector<PlannedPrompt> read_prompt_file(ExperimentReader& reader, const std::string& name, const TomlEntry& entry,
                                            const std::string& role) {
  const std::string where = reader.source.where(entry.path);
  const Path file = reader.beside(entry.value->get<std::string>());
  std::error_code ignored;
  check(std::filesystem::is_regular_file(file, ignored), ErrorKind::input, "[{}] {}: there is no file {}", where, entry.path,
        file.string());
  std::string text = read_file(file, 64 << 20);
  reader.file.prompts.files.push_back({role, file.filename().string(), sha256_hex(text)});
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  std::vector<PlannedPrompt> prompts;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string line_where = fmt::format("{} line {}", file.string(), number);
    prompts.push_back(prompt_from(parse_json(line, line_where), line_where));
  }
  check_list(prompts, where, name);
  return prompts;
}

void read_prompts(ExperimentReader& reader, const TomlTable& table) {
  auto& prompts = reader.file.prompts;
  PromptKeys keys{prompts};
  auto fields = fields_of(keys);
  Json config = Json::object();
  for (const auto& entry : table.entries()) {
    if (entry.key == "draw" || entry.key == "first") {
      set_entry(fields, reader.source, entry);
      continue;
    }
    check_table_name(reader.source, entry);
    auto list = read_list(reader, entry);
    for (auto& prompt : list) prompt.list = entry.key;
    check_list(list, reader.source.where(entry.path), entry.key);
    for (const auto& prompt : list) config[entry.key].push_back({{"prompt", prompt.text}, {"group", prompt.group}});
    prompts.lists[entry.key] = std::move(list);
  }
  std::vector<std::string> names;
  for (const auto& [name, list] : prompts.lists) names.push_back(name);
  check(!names.empty(), ErrorKind::input, "[{}] [prompts] has no list, expected one as test = \"prompts_test.jsonl\"",
        table.where());
  check(prompts.lists.contains(prompts.draw), ErrorKind::input,
        "[{}] [prompts] has no list {}, which arms draw{}; set draw to {}", table.where("draw"), json_excerpt(prompts.draw),
        did_you_mean(prompts.draw, names), joined(names, " or "));
  const auto size = prompts.lists[prompts.draw].size();
  check(!prompts.first || *prompts.first <= static_cast<int64_t>(size), ErrorKind::input,
        "[{}] prompts.first is {}, but the list {} has {} prompts", table.where("first"), prompts.first.value_or(0), prompts.draw,
        size);
  check_test_is_apart(reader, table);
  config.update(to_json(fields));
  reader.config["prompts"] = std::move(config);
}

}  // namespace negativa
