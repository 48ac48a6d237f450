#include "jobs/experiment_notices.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/toml.h"
#include "experiment/plan_cells.h"
#include "experiment/references.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

struct Column {
  const ArmTable& arm;
  std::string path;  // of its table
};

std::vector<Column> columns_of(const ExperimentFile& file) {
  std::vector<Column> columns;
  for (const auto& arm : file.arms) columns.push_back({arm, toml_path("arms", arm.name)});
  for (const auto& sweep : file.sweeps)
    for (const auto& arm : sweep.arms) columns.push_back({arm, toml_path("sweeps", sweep.name)});
  return columns;
}

std::string place_of(const ExperimentFile& file, const std::string& path) {
  const auto line = file.lines.find(path);
  return line == file.lines.end() ? file.path.string() : fmt::format("{} line {}", file.path.string(), line->second);
}

// All prompts in one, to look for an embedding's word in.
PictureOptions picture_of(const ExperimentFile& file, const ArmTable& arm) {
  PictureOptions picture = arm.draw.picture;
  std::vector<std::string> texts;
  for (const auto& prompt : prompts_of(file, arm.list)) texts.push_back(prompt.text);
  picture.prompt = joined(texts, " ");
  if (arm.negative_is_prompt) picture.negative_prompt = picture.prompt;
  picture.seed = 0;
  return picture;
}

// Embeddings that the experiment trains have no file yet.
std::vector<std::string> unused_words(const ExperimentFile& file, const ArmTable& arm, const PictureOptions& picture) {
  std::vector<std::string> lines;
  std::string texts;
  for (const auto* text : {&picture.prompt, &picture.negative_prompt, &picture.negative_prompt_2})
    texts += text->value_or("") + "\n";
  for (const auto& text : arm.draw.model.embedding) {
    const auto* table = find_embedding(file, text, file.path.string()).table;
    if (table && ascii_lower(texts).find(ascii_lower(word_of(*table))) == std::string::npos)
      lines.push_back(fmt::format("--embedding has no effect: \"{}\" is in no prompt", word_of(*table)));
  }
  return lines;
}

// As a request has it: whether steps or cfg_scale are a person's choice.
PictureOptions chosen_of(const ExperimentFile& file, PictureOptions picture, const std::set<std::string>& given) {
  for (const char* key : {"steps", "cfg_scale"})
    if (given.contains(key) || file.lines.contains(toml_path("default", key))) picture.chose_steps_or_cfg = true;
  return picture;
}

// Lines of without_effect, by option: "--negative-interval has no effect: …"; of the model without.
std::vector<std::string> lines_of(Engine& engine, const ExperimentFile& file, const Column& column, const Caller& caller) {
  const PictureOptions picture = picture_of(file, column.arm);
  ModelOptions model = column.arm.draw.model;
  std::erase_if(model.embedding,
                [&](const std::string& text) { return find_embedding(file, text, file.path.string()).table != nullptr; });
  std::set<std::string> given;
  const Json overrides = parse_json(column.arm.overrides_json, column.path);
  for (const auto& [key, value] : overrides.items()) given.insert(key);
  try {
    const Session session(engine, model, caller, 1);
    const AskedPicture asked{picture, plan_picture(session.models(), picture)};
    auto lines = without_effect(session, std::span(&asked, 1), given);
    const auto words = unused_words(file, column.arm, picture);
    lines.insert(lines.end(), words.begin(), words.end());
    for (auto& line : session.notices(chosen_of(file, picture, given))) lines.push_back(std::move(line));
    return lines;
  } catch (const Error& error) {
    fail(error.kind(), "[{}] {}: {}", place_of(file, column.path), column.path, error.what());
  }
}

std::string key_of(const std::string& line) {
  DrawOptions options;
  const Fields fields = fields_of(options);
  const std::string flag = line.substr(0, line.find(' '));
  const auto found = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.long_flag() == flag; });
  return found == fields.end() ? "" : found->name;
}

}  // namespace

std::vector<std::string> experiment_notices(Engine& engine, const ExperimentFile& file, const Caller& caller) {
  std::vector<std::string> notices;
  std::map<std::string, size_t> of_default;  // line -> columns that say it
  const auto add_once = [&](const std::string& text) {
    if (std::find(notices.begin(), notices.end(), text) == notices.end()) notices.push_back(text);
  };
  const auto add = [&](const std::string& path, const std::string& line) {
    add_once(fmt::format("{}: {} {}", place_of(file, toml_path(path, key_of(line))), path, line));
  };
  const auto columns = columns_of(file);
  for (const Column& column : columns) {
    const Json overrides = parse_json(column.arm.overrides_json, column.path);
    for (const auto& line : lines_of(engine, file, column, caller)) {
      if (key_of(line).empty())
        add_once(fmt::format("{}: {}", file.path.string(), line));
      else if (overrides.contains(key_of(line)))
        add(column.path, line);
      else
        ++of_default[line];
    }
  }
  for (const auto& [line, count] : of_default)
    if (count == columns.size()) add("default", line);
  return notices;
}

}  // namespace negativa
