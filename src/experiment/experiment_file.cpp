#include "experiment/experiment_file.h"

#include <algorithm>
#include <limits>

#include "base/files.h"
#include "base/text.h"
#include "experiment/experiment_reader.h"
#include "experiment/toml_text.h"

namespace negativa {

namespace {

const std::vector<std::string> tables{"default", "prompts", "sets", "loras", "embeddings", "arms", "sweeps", "tune", "analysis"};

void read_options(ExperimentReader& reader, const TomlTable& top) {
  auto fields = fields_of(reader.file.options);
  set_entries(fields, top, {}, tables);
  Json config = to_json(fields);
  reader.choice["judge_select"] = config["judge_select"];
  config.erase("judge_select");
  reader.config.update(config);
  reader.defaults.options.model.model = reader.file.options.model;
  auto& options = reader.file.options;
  for (Path* folder : {&options.judge, &options.judge_select})
    if (!folder->empty()) *folder = reader.beside(*folder);
}

void read_default(ExperimentReader& reader, const Json& json) {
  for (const auto& entry : TomlTable(reader.source, json, "default").entries()) {
    check(entry.key != "model", ErrorKind::input, "[{}] the model stands at the top of the file: model = …",
          reader.source.where(entry.path));
    set_draw(reader.defaults, reader.source, entry, {});
  }
  Json config = reader.defaults.settings();
  for (const char* key : {"model", "prompt", "seed"}) config.erase(key);
  reader.config["default"] = std::move(config);
}

template <class Read>
void read_table(ExperimentReader& reader, const TomlTable& top, const char* name, const Read& read) {
  const Json* json = top.find(name);
  static const Json none = Json::object();
  read(reader, TomlTable(reader.source, json ? *json : none, name));
}

void resolve(ExperimentReader& reader) {
  ExperimentFile& file = reader.file;
  file.defaults = reader.defaults.options;
  resolve_draw(reader, file.defaults);
  for (auto& set : file.sets) {
    resolve_draw(reader, set.draw);
    if (!set.options.folder.empty()) set.options.folder = reader.beside(set.options.folder);
  }
  for (auto& arm : file.arms) resolve_draw(reader, arm.draw);
  for (auto& sweep : file.sweeps)
    for (auto& arm : sweep.arms) resolve_draw(reader, arm.draw);
}

constexpr size_t longest_shown = 80;  // of a value

std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string short_text(const Json& json) {
  const std::u32string text = code_points(dumped(json));
  return utf8_from(text.size() <= longest_shown ? text : text.substr(0, longest_shown - 1) + U"…");
}

// "path: words" of the first place in the file's order where two configurations differ.
struct Difference {
  std::string path, words;
};

// Of two lists that are too long for a line, the first place.
bool find_in_lists(const Json& run, const Json& file, const std::string& path, std::vector<Difference>& found) {
  if (!run.is_array() || !file.is_array()) return false;
  if (std::max(dumped(run).size(), dumped(file).size()) <= longest_shown) return false;
  size_t same = 0;
  while (same < std::min(run.size(), file.size()) && run[same] == file[same]) ++same;
  const auto at = [&](const Json& list) { return same < list.size() ? short_text(list[same]) : "nothing there"; };
  found.push_back({toml_path(path, same), fmt::format("the run has {}, the file {}", at(run), at(file))});
  return true;
}

void find_differences(const Json& run, const Json& file, const std::string& path, std::vector<Difference>& found) {
  if (run == file || find_in_lists(run, file, path, found)) return;
  if (!run.is_object() || !file.is_object()) {
    found.push_back({path, fmt::format("the run has {}, the file {}", short_text(run), short_text(file))});
    return;
  }
  for (const auto& [key, value] : file.items())
    if (!run.contains(key)) found.push_back({toml_path(path, key), "the run has it not, the file " + short_text(value)});
  for (const auto& [key, value] : run.items()) {
    if (!file.contains(key))
      found.push_back({toml_path(path, key), "the run has " + short_text(value) + ", the file has it not"});
    else
      find_differences(value, file[key], toml_path(path, key), found);
  }
}

int line_of(const ExperimentFile& file, std::string path) {
  while (!path.empty()) {
    if (const auto found = file.lines.find(path); found != file.lines.end()) return found->second;
    const auto end = path.find_last_of(".[");
    path.resize(end == std::string::npos ? 0 : end);
  }
  return 1;
}

std::string source_of(const ExperimentFile& file, const std::string& path) {
  const auto found = file.lines.find(path);
  return found == file.lines.end() ? "default" : fmt::format("line {}", found->second);
}

bool is_table(const Json& value, const std::string& path) {
  return value.is_object() && !value.contains("same_as") && path.find('[') == std::string::npos;
}

// Keys in the order of the file, then those that it has not.
std::vector<std::string> keys_in_order(const ExperimentFile& file, const Json& table, const std::string& path) {
  std::vector<std::pair<int, std::string>> keys;
  for (const auto& [key, value] : table.items()) {
    const auto found = file.lines.find(toml_path(path, key));
    keys.emplace_back(found == file.lines.end() ? std::numeric_limits<int>::max() : found->second, key);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> names;
  for (auto& [line, key] : keys) names.push_back(std::move(key));
  return names;
}

void print_table(const ExperimentFile& file, const Json& table, const std::string& path, std::string& text) {
  const auto keys = keys_in_order(file, table, path);
  for (const auto& key : keys)
    if (const std::string at = toml_path(path, key); !is_table(table[key], at))
      text += fmt::format("{} = {}  # {}\n", toml_path("", key), toml_value(table[key]), source_of(file, at));
  for (const auto& key : keys)
    if (const std::string at = toml_path(path, key); is_table(table[key], at)) {
      text += fmt::format("\n[{}]\n", at);
      print_table(file, table[key], at, text);
    }
}

}  // namespace

Path ExperimentReader::beside(const Path& path) const { return path.is_absolute() ? path : file.path.parent_path() / path; }

Json begin_experiment(ExperimentReader& reader, const std::string& text, const Path& path) {
  reader.file.path = path;
  reader.file.name = path.stem().string();
  reader.file.text = text;
  reader.source.file = path.string();
  Json json = parse_toml(text, path.string(), reader.source.positions);
  for (const auto& [key, position] : reader.source.positions) reader.file.lines[key] = position.line;
  const TomlTable top(reader.source, json, "");
  read_options(reader, top);
  if (const Json* defaults = top.find("default"))
    read_default(reader, *defaults);
  else
    read_default(reader, Json::object());
  return json;
}

void read_files_of_arms(ExperimentReader& reader, const TomlTable& top) {
  read_table(reader, top, "sets", read_sets);
  read_table(reader, top, "loras", read_loras);
  read_table(reader, top, "embeddings", read_embeddings);
  check_loras(reader);
  check_draw(reader, reader.defaults, "default");
}

ExperimentFile parse_experiment(const std::string& text, const Path& path) {
  ExperimentReader reader;
  const Json json = begin_experiment(reader, text, path);
  const TomlTable top(reader.source, json, "");
  read_table(reader, top, "prompts", read_prompts);
  read_files_of_arms(reader, top);
  read_table(reader, top, "arms", read_arms);
  read_table(reader, top, "sweeps", read_sweeps);
  read_table(reader, top, "analysis", read_analysis);
  if (const Json* tune = top.find("tune")) read_tune(reader, TomlTable(reader.source, *tune, "tune"));
  check_captions(reader);
  resolve(reader);
  note_unused(reader);
  reader.file.config_json = canonical_json(reader.config);
  reader.file.choice_json = canonical_json(reader.choice);
  return std::move(reader.file);
}

std::string experiment_text(const Path& path) {
  std::error_code ignored;
  check(!std::filesystem::is_directory(path, ignored), ErrorKind::input, "[experiment] {} is a folder, expected a TOML file",
        path.string());
  return read_file(path, 16 << 20);
}

ExperimentFile read_experiment(const Path& path) { return parse_experiment(experiment_text(path), path); }

std::string print_experiment(const ExperimentFile& file) {
  Json config = parse_json(file.config_json, file.path.string());
  config.update(parse_json(file.choice_json, file.path.string()));
  std::string text;
  print_table(file, config, "", text);
  return text;
}

std::string first_difference(const std::string& run_config_json, const ExperimentFile& file) {
  std::vector<Difference> found;
  find_differences(parse_json(run_config_json, "plan.json"), parse_json(file.config_json, "the file"), "", found);
  if (found.empty()) return "";
  const auto first = std::min_element(found.begin(), found.end(), [&](const Difference& a, const Difference& b) {
    return std::pair(line_of(file, a.path), a.path) < std::pair(line_of(file, b.path), b.path);
  });
  return fmt::format("line {} ({}): {}", line_of(file, first->path), first->path, first->words);
}

}  // namespace negativa
