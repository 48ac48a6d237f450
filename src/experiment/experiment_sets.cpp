// [sets], [loras] and [embeddings]: what is made before the arms.
#include <algorithm>

#include "base/text.h"
#include "experiment/experiment_reader.h"
#include "experiment/references.h"
#include "train/optimizer.h"

namespace negativa {

namespace {

const std::vector<RefusedKey> refused_in_training{
    {"model", "trainings take [default]'s model"},
    {"vae", "trainings take [default]'s model"},
    {"data", "`set` names the pictures"},
    {"class_data", "a set has its plain pictures beside it (`plain`)"},
    {"class_prompt", "a set has its plain pictures beside it (`plain`)"},
    {"class_count", "a set has its plain pictures beside it (`plain`)"},
    {"prior_weight", "a set has its plain pictures beside it (`plain`)"},
    {"validation_data", "an experiment measures pictures"},
    {"validation_prompt", "an experiment measures pictures"},
    {"validate_every", "an experiment measures pictures"},
    {"prompt", "the set's captions are the texts"},
    {"captions", "the set's captions are the texts"},
    {"out", "the run folder has a place for it"},
    {"save_trace", "the run folder has no place for it"},
    {"resume", "an experiment always goes on where it stopped"},
    {"skip_broken", "a set is taken whole"},
};

bool has(const TomlTable& table, const char* key) { return table.find(key) != nullptr; }

[[noreturn]] void refuse(const TomlTable& table, const std::string& key, const std::string& why) {
  fail(ErrorKind::input, "[{}] {}: {}", table.where(key), toml_path(table.path(), key), why);
}

// The one of these keys that the table has: what the thing is made of.
std::string kind_of(const TomlTable& table, const std::vector<std::string>& kinds) {
  std::string kind;
  for (const auto& one : kinds) {
    if (!table.find(one)) continue;
    if (!kind.empty()) refuse(table, one, "stands beside " + kind + "; expected one of " + joined(kinds, ", "));
    kind = one;
  }
  check(!kind.empty(), ErrorKind::input, "[{}] {} does not say what it is made of; expected one of {}", table.where(),
        table.path(), joined(kinds, ", "));
  return kind;
}

std::string text_at(const TomlTable& table, const std::string& key) {
  const Json& value = *table.find(key);
  if (!value.is_string() || value.get<std::string>().empty())
    refuse(table, key, "got " + json_excerpt(value) + ", expected a text");
  return value.get<std::string>();
}

// Keys but these are refused, since they would have no effect.
void allow_only(const TomlTable& table, const std::vector<std::string>& keys, const std::string& because) {
  for (const auto& entry : table.entries())
    if (std::find(keys.begin(), keys.end(), entry.key) == keys.end()) refuse(table, entry.key, "has no effect " + because);
}

template <class Table>
void check_name_of(const TomlTable& table, const std::string& key, const std::vector<Table>& tables, const char* kind) {
  const std::string name = text_at(table, key);
  std::vector<std::string> names;
  for (const auto& one : tables) names.push_back(one.name);
  if (std::find(names.begin(), names.end(), name) == names.end())
    refuse(table, key, fmt::format("there is no [{}.{}]{}", kind, name, did_you_mean(name, names)));
}

// Texts in the TOML, or the prompts of a JSONL file.
std::vector<std::string> subjects_of(ExperimentReader& reader, const TomlEntry& entry) {
  if (!entry.value->is_string() || !entry.value->get<std::string>().ends_with(".jsonl")) return texts_of(reader.source, entry);
  std::vector<std::string> subjects;
  for (const auto& prompt : read_prompt_file(reader, entry.key, entry, "subjects")) subjects.push_back(prompt.text);
  return subjects;
}

void check_template(const TomlTable& table, const SetOptions& set) {
  std::string rest = set.template_text;
  for (const char* known : {"{keywords}", "{keyword}", "{subject}"})
    for (size_t at = 0; (at = rest.find(known)) != std::string::npos;) rest.erase(at, std::string(known).size());
  if (rest.find('{') != std::string::npos)
    refuse(table, "template", json_excerpt(set.template_text) + " has a { that begins none of {keywords}, {keyword}, {subject}");
  const bool with_keyword = set.template_text.find("{keyword") != std::string::npos;
  if (set.keywords.empty() == with_keyword)
    refuse(table, "template",
           with_keyword ? "has {keywords} or {keyword}, and the set has no keywords" : "has no place for keywords");
  if (set.subjects.empty() && set.template_text.find("{subject}") != std::string::npos)
    refuse(table, "template", "has {subject}, and the set has no subjects");
  if (set.emphasis.find("{}") == std::string::npos) refuse(table, "emphasis", "has no {} for the keyword");
  if (set.keywords.empty() && set.emphasis != SetOptions{}.emphasis)
    refuse(table, "emphasis", "has no effect: the set has no keywords");
}

void check_drawn_set(const TomlTable& table, const SetSpec& set) {
  const SetOptions& options = set.options;
  check_template(table, options);
  if (options.plain > 0 && options.subjects.empty()) refuse(table, "plain", "plain pictures show subjects, and the set has none");
  const bool shows_subject = options.template_text.find("{subject}") != std::string::npos;
  if (!options.subjects.empty() && !shows_subject && options.plain == 0)
    refuse(table, "subjects", "have no effect: the template has no {subject}, and no pictures are plain");
  check(!options.caption.empty() || shows_subject, ErrorKind::input,
        "[{}] {} has no caption: give the text that its pictures are trained on, such as caption = \"wrong\"", table.where(),
        table.path());
  // What is drawn with a LoRA that is trained on it would never begin.
  check(set.draw.picture.lora.empty() && set.draw.model.embedding.empty(), ErrorKind::input,
        "[{}] the pictures of {} would be drawn with [default]'s lora or embedding; write picture.lora = [] and "
        "picture.embedding = [] there",
        table.where(), table.path());
}

// What says how to draw pictures has no effect on those that are there already.
void check_persons_set(const ExperimentReader& reader, const TomlTable& table, const SetSpec& set) {
  SetOptions given = set.options, standard;
  standard.folder = given.folder;
  standard.caption = given.caption;
  const Json options = to_json(fields_of(given)), defaults = to_json(fields_of(standard));
  for (const auto& entry : table.entries())
    if (!options.contains(entry.key) || options[entry.key] != defaults[entry.key])
      refuse(table, entry.key, "has no effect beside folder, whose pictures are there already");
  const Path folder = reader.beside(set.options.folder);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) refuse(table, "folder", "there is no folder " + folder.string());
}

SetSpec read_set(ExperimentReader& reader, const TomlTable& table, const std::string& name) {
  SetSpec set;
  set.name = name;
  DrawSettings drawing = reader.defaults;
  auto fields = fields_of(set.options);
  const std::vector<std::string> others{"cfg_scale", "picture", "subjects"};
  set_entries(fields, table, {}, others);
  for (const auto& entry : table.entries()) {
    if (entry.key == "subjects") set.options.subjects = subjects_of(reader, entry);
    if (entry.key == "cfg_scale") {
      set.cfg_scales = numbers_of(reader.source, entry);
      check_values(reader.source, entry);
    }
    if (entry.key == "picture")
      for (const auto& option : TomlTable(reader.source, *entry.value, entry.path).entries())
        set_draw(drawing, reader.source, option, {});
  }
  set.draw = drawing.options;
  if (!set.options.folder.empty())
    check_persons_set(reader, table, set);
  else
    check_drawn_set(table, set);
  Json config = to_json(fields);
  if (!set.cfg_scales.empty()) config["cfg_scale"] = set.cfg_scales;
  if (const Json overrides = overrides_of(reader, drawing); !overrides.empty()) config["picture"] = overrides;
  reader.config["sets"][name] = std::move(config);
  return set;
}

void set_training(const TomlTable& table, Fields& fields, const std::vector<std::string>& kinds) {
  std::vector<std::string> others = kinds;
  others.push_back("checkpoints");
  set_entries(fields, table, refused_in_training, others);
}

// What was asked for or is a default, of all that a training may be asked.
Json training_config(const Fields& fields) {
  Json config = to_json(fields);
  for (const auto& key : refused_in_training) config.erase(key.key);
  return config;
}

void read_checkpoints(ExperimentReader& reader, const TomlTable& table, LoraTable& lora) {
  const Json* value = table.find("checkpoints");
  if (!value) return;
  if (depends_on_steps(lr_scheduler_from_name(lora.train.step.lr_scheduler)))
    refuse(table, "checkpoints",
           "stand beside lr_scheduler = \"" + lora.train.step.lr_scheduler +
               "\", with which each step follows from the number of steps; write \"constant\", or a [loras] table for each "
               "number of steps");
  lora.checkpoints = integers_of(reader.source, {"checkpoints", toml_path(table.path(), "checkpoints"), value});
  for (const int64_t steps : lora.checkpoints)
    if (steps < 1 || steps >= lora.train.step.steps)
      refuse(table, "checkpoints",
             fmt::format("got {}, expected steps before the last, which is {}", steps, lora.train.step.steps));
}

std::vector<std::string> merged_parts(const ExperimentReader& reader, const TomlTable& table) {
  const std::string path = toml_path(table.path(), "merge");
  auto parts = texts_of(reader.source, {"merge", path, table.find("merge")});
  bool has_weight = false;
  for (const auto& part : parts) has_weight |= parse_weighted_lora(part, reader.source.where_and_path(path)).weight != 0;
  if (!has_weight) refuse(table, "merge", "merges nothing; expected LoRAs with weights other than 0");
  return parts;
}

LoraTable read_lora_table(ExperimentReader& reader, const TomlTable& table, const std::string& name) {
  static const std::vector<std::string> kinds{"set", "random_of", "merge", "file"};
  LoraTable lora;
  lora.name = name;
  const std::string kind = kind_of(table, kinds);
  Json config = Json::object();
  if (kind == "set") {
    check_name_of(table, "set", reader.file.sets, "sets");
    lora.set = text_at(table, "set");
    reader.used_sets.insert(lora.set);
    auto fields = fields_of(lora.train);
    set_training(table, fields, kinds);
    read_checkpoints(reader, table, lora);
    config = training_config(fields);
    if (!lora.checkpoints.empty()) config["checkpoints"] = lora.checkpoints;
  } else {
    allow_only(table, {kind}, "beside " + kind + ": nothing is trained here");
  }
  if (kind == "random_of") lora.random_of = text_at(table, kind);
  if (kind == "file") lora.file = text_at(table, kind);
  if (kind == "merge") lora.merge = merged_parts(reader, table);
  config[kind] = *table.find(kind);
  reader.config["loras"][name] = std::move(config);
  return lora;
}

EmbeddingTable read_embedding_table(ExperimentReader& reader, const TomlTable& table, const std::string& name) {
  static const std::vector<std::string> kinds{"set", "file"};
  EmbeddingTable embedding;
  embedding.name = name;
  const std::string kind = kind_of(table, kinds);
  Json config = Json::object();
  if (kind == "set") {
    check_name_of(table, "set", reader.file.sets, "sets");
    embedding.set = text_at(table, "set");
    reader.used_sets.insert(embedding.set);
    auto fields = fields_of(embedding.train);
    set_training(table, fields, kinds);
    if (has(table, "checkpoints")) refuse(table, "checkpoints", "are of [loras] alone");
    config = training_config(fields);
  } else {
    allow_only(table, {kind, "name"}, "beside file: nothing is trained here");
    if (has(table, "name")) config["name"] = embedding.train.name = text_at(table, "name");
    embedding.file = text_at(table, kind);
  }
  config[kind] = *table.find(kind);
  reader.config["embeddings"][name] = std::move(config);
  return embedding;
}

template <class Read>
void read_each(ExperimentReader& reader, const TomlTable& table, const Read& read) {
  for (const auto& entry : table.entries()) {
    check_table_name(reader.source, entry);
    read(TomlTable(reader.source, *entry.value, entry.path), entry.key);
  }
}

enum class Visited { no, now, done };

// A random LoRA has the singular values of one that the experiment makes.
void check_random(const ExperimentReader& reader, const LoraTable& lora) {
  const std::string path = toml_path(toml_path("loras", lora.name), "random_of");
  const auto of = find_lora(reader.file, lora.random_of, reader.source.where(path));
  check(of.table && lora.random_of.find(':') == std::string::npos, ErrorKind::input,
        "[{}] {}: got {}, expected the name of one of [loras], without a weight", reader.source.where(path), path,
        json_excerpt(lora.random_of));
}

// A training goes on from a whole LoRA: a weight or a branch would have no effect.
void check_goes_on(const ExperimentReader& reader, const LoraTable& lora, const std::string& where) {
  const std::string text = lora.train.network_weights;
  check(find_lora(reader.file, text, where).spec.path == text, ErrorKind::input,
        "[{}] got {}, expected a LoRA or a file without weight and branch", where, json_excerpt(text));
}

// Depth first, so that a LoRA that is made of itself is found.
void visit_parts(ExperimentReader& reader, const LoraTable& lora, std::map<std::string, Visited>& visited) {
  const std::string path = toml_path("loras", lora.name);
  check(visited[lora.name] != Visited::now, ErrorKind::input, "[{}] {} is made of itself", reader.source.where(path), path);
  if (visited[lora.name] == Visited::done) return;
  visited[lora.name] = Visited::now;
  std::vector<std::string> parts = lora.merge;
  if (!lora.random_of.empty()) parts.push_back(lora.random_of);
  if (!lora.train.network_weights.empty()) parts.push_back(lora.train.network_weights);
  const char* const key = !lora.merge.empty() ? "merge" : !lora.random_of.empty() ? "random_of" : "network_weights";
  const std::string where = reader.source.where_and_path(toml_path(path, key));
  for (const auto& part : parts) {
    const LoraReference reference = find_lora(reader.file, part, where);
    if (!reference.table) continue;
    reader.used_loras.insert(reference.table->name);
    visit_parts(reader, *reference.table, visited);
  }
  if (!lora.random_of.empty()) check_random(reader, lora);
  if (!lora.train.network_weights.empty()) check_goes_on(reader, lora, where);
  visited[lora.name] = Visited::done;
}

void check_file(const ExperimentReader& reader, const std::string& path, const Path& file) {
  std::error_code ignored;
  check(file.empty() || std::filesystem::exists(file, ignored), ErrorKind::input, "[{}] there is no file {}",
        reader.source.where_and_path(path), file.string());
}

}  // namespace

void read_sets(ExperimentReader& reader, const TomlTable& table) {
  read_each(reader, table,
            [&](const TomlTable& one, const std::string& name) { reader.file.sets.push_back(read_set(reader, one, name)); });
}

void read_loras(ExperimentReader& reader, const TomlTable& table) {
  read_each(reader, table, [&](const TomlTable& one, const std::string& name) {
    reader.file.loras.push_back(read_lora_table(reader, one, name));
  });
}

void read_embeddings(ExperimentReader& reader, const TomlTable& table) {
  read_each(reader, table, [&](const TomlTable& one, const std::string& name) {
    reader.file.embeddings.push_back(read_embedding_table(reader, one, name));
  });
}

void check_loras(ExperimentReader& reader) {
  for (auto& lora : reader.file.loras) {
    for (auto& part : lora.merge) part = resolved_lora(reader, part);
    if (!lora.file.empty()) lora.file = reader.beside(lora.file);
    if (!lora.train.network_weights.empty()) lora.train.network_weights = resolved_lora(reader, lora.train.network_weights);
  }
  std::map<std::string, Visited> visited;
  for (const auto& lora : reader.file.loras) {
    visit_parts(reader, lora, visited);
    check_file(reader, toml_path(toml_path("loras", lora.name), "file"), lora.file);
  }
  for (auto& embedding : reader.file.embeddings) {
    if (embedding.file.empty()) continue;
    embedding.file = reader.beside(embedding.file);
    check_file(reader, toml_path(toml_path("embeddings", embedding.name), "file"), embedding.file);
  }
}

}  // namespace negativa
