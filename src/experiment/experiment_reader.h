#pragma once
// The parts of reading an experiment's TOML, one .cpp a group of tables. Included by those alone.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "experiment/experiment_file.h"
#include "experiment/toml_table.h"

namespace negativa {

// Options while tables are laid over each other.
struct DrawSettings {
  DrawOptions options;
  std::map<std::string, Json> given;  // what the TOML gave, by key, in the type of the option
  bool negative_is_prompt = false;

  Json settings() const;  // all that is drawn with, to compare columns
};

// What is known of a file while its tables are read, in an order in which each finds what it names.
struct ExperimentReader {
  ExperimentFile file;
  TomlSource source;
  Json config = Json::object(), choice = Json::object();  // ExperimentFile::config_json, choice_json
  DrawSettings defaults;
  std::vector<DrawSettings> arms;  // of file.arms
  std::set<std::string> used_loras, used_embeddings, used_sets, used_lists;

  Path beside(const Path& path) const;  // relative paths are those of the file's folder
};

// Of the file at `path`. Throws ErrorKind::input for a folder and what cannot be opened.
std::string experiment_text(const Path& path);
// The keys at the top and [default]. Returns the text as JSON.
Json begin_experiment(ExperimentReader& reader, const std::string& text, const Path& path);
// [sets], [loras], [embeddings]: what arms name.
void read_files_of_arms(ExperimentReader& reader, const TomlTable& top);

void read_prompts(ExperimentReader& reader, const TomlTable& table);
std::vector<PlannedPrompt> read_prompt_file(ExperimentReader& reader, const std::string& name, const TomlEntry& entry,
                                            const std::string& role);

// One key of [default], of an arm, a sweep or a set's picture. same_as: whether negative_prompt may be the prompt.
struct DrawKeys {
  std::vector<std::string> others;  // keys of the table that are no options of a picture
  bool same_as = false;
};
void set_draw(DrawSettings& drawing, const TomlSource& source, const TomlEntry& entry, const DrawKeys& keys);
bool is_list_option(const std::string& key);  // lora, embedding
// One value or several of an option, each as set_draw takes it, and at least one.
void check_values(const TomlSource& source, const TomlEntry& entry);
// LoRAs and embeddings that a table names, at the lines of its path. Remembers them as used.
void check_draw(ExperimentReader& reader, const DrawSettings& drawing, const std::string& path);
// What of `drawing` differs from [default], as overrides_json has it.
Json overrides_of(const ExperimentReader& reader, const DrawSettings& drawing);
// A text of `lora` or `merge` as find_lora takes it: names as they are, files with the TOML's folder.
std::string resolved_lora(const ExperimentReader& reader, const std::string& text);
void resolve_draw(const ExperimentReader& reader, DrawOptions& draw);

void read_sets(ExperimentReader& reader, const TomlTable& table);
void read_loras(ExperimentReader& reader, const TomlTable& table);
void read_embeddings(ExperimentReader& reader, const TomlTable& table);
void check_loras(ExperimentReader& reader);  // what they are made of is there, and not themselves

// Keys of an arm or sweep that are no options of a picture.
struct ColumnOptions {
  std::string prompts;
  int64_t replicates = 1, training_seeds = 1;

  static void visit(auto& self, auto& v) {
    v("prompts", self.prompts, "list of [prompts] that is drawn");
    v("replicates", self.replicates, range(1, 1000), "pictures of a prompt, each with noise of its own");
    v("training_seeds", self.training_seeds, range(1, 100), "trainings of each LoRA, random LoRA and embedding");
  }
};
ColumnOptions read_column(ExperimentReader& reader, const TomlTable& table);
const std::vector<std::string>& column_keys();

void read_arms(ExperimentReader& reader, const TomlTable& table);
void read_sweeps(ExperimentReader& reader, const TomlTable& table);

void read_tune(ExperimentReader& reader, const TomlTable& table);
void read_analysis(ExperimentReader& reader, const TomlTable& table);

void check_captions(const ExperimentReader& reader);  // texts of sets stand in no list of prompts
void note_unused(ExperimentReader& reader);

}  // namespace negativa
