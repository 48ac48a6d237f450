#include "experiment/columns.h"

#include <algorithm>

#include "base/file_names.h"
#include "base/text.h"
#include "experiment/axes.h"
#include "experiment/plan_cells.h"
#include "experiment/references.h"
#include "runs/address.h"

namespace negativa {

namespace {

constexpr size_t most_axes = 2;
const std::string axis_flag = "--axis";

Overrides overrides_of(const std::map<std::string, Json>& given) {
  Overrides overrides;
  for (const auto& [key, value] : given) overrides.emplace_back(key, value.dump());
  return overrides;
}

// Reads the tables that make files, and lays given files over what the experiment would make.
class ArmsReader {
 public:
  ArmsReader(ExperimentReader& reader, const GivenFiles& given, ArmsFile& file) : reader_(reader), given_(given), file_(file) {}

  NamedArm arm(const TomlEntry& entry) {
    check_table_name(reader_.source, entry);
    DrawSettings drawing;
    for (const auto& option : TomlTable(reader_.source, *entry.value, entry.path).entries()) {
      if (std::find(column_keys().begin(), column_keys().end(), option.key) != column_keys().end())
        without_part_.push_back(option.path);
      else
        set_draw(drawing, reader_.source, option, {column_keys(), true});
    }
    return {entry.key, overrides_of(resolved(drawing, entry.path))};
  }

  // Options that were given, with files for all names.
  std::map<std::string, Json> resolved(DrawSettings drawing, const std::string& path) {
    check_draw(reader_, drawing, path);
    resolve_draw(reader_, drawing.options);
    auto& picture = drawing.options.picture;
    auto& model = drawing.options.model;
    for (auto& text : picture.lora) text = lora(text, toml_path(path, "lora"));
    for (auto& text : model.embedding) text = embedding(text, toml_path(path, "embedding"));
    const Json settings = to_json(fields_of(drawing.options));
    for (auto& [key, value] : drawing.given)
      if (!value.is_object()) value = settings.at(key);
    return drawing.given;
  }

  const std::vector<std::string>& without_part() const { return without_part_; }

 private:
  std::string lora(const std::string& text, const std::string& path) {
    const LoraReference reference = find_lora(reader_.file, text, reader_.source.where_and_path(path));
    if (!reference.table) return text;
    Path file = reference.table->file;
    if (file.empty()) {
      const std::string name = reference.spec.path.string();
      const size_t number = given_file(given_.loras, name, path, "--lora");
      file = parse_lora_spec(given_.loras[number]).path;
      remember(file_.used_loras, number);
    }
    return fmt::format("{}:{}:{}", file.string(), reference.spec.weight.text_of(), branch_name(reference.spec.branch));
  }

  std::string embedding(const std::string& text, const std::string& path) {
    const EmbeddingReference reference = find_embedding(reader_.file, text, reader_.source.where_and_path(path));
    if (!reference.table) return text;
    Path file = reference.table->file;
    if (file.empty()) {
      const size_t number = given_file(given_.embeddings, text, path, "--embedding");
      file = parse_embedding_spec(given_.embeddings[number]).path;
      remember(file_.used_embeddings, number);
    }
    return file.string() + "=" + word_of(*reference.table);
  }

  size_t given_file(const std::vector<std::string>& texts, const std::string& name, const std::string& path,
                    const std::string& flag) const {
    const std::string in_run = slug(name) + "-t";
    for (size_t i = 0; i < texts.size(); ++i) {
      const std::string stem =
          (flag == "--lora" ? parse_lora_spec(texts[i]).path : parse_embedding_spec(texts[i]).path).stem().string();
      if (same_name(stem, name) || (stem.starts_with(in_run) && stem.size() > in_run.size())) return i;
    }
    fail(ErrorKind::input,
         "[{}] {} is made by the experiment, and here nothing is trained; give its file beside it: {} {}.safetensors, or "
         "the one of a run, {}0-….safetensors",
         reader_.source.where_and_path(path), json_excerpt(name), flag, name, in_run);
  }

  static void remember(std::vector<size_t>& numbers, size_t number) {
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end()) numbers.push_back(number);
  }

  ExperimentReader& reader_;
  const GivenFiles& given_;
  ArmsFile& file_;
  std::vector<std::string> without_part_;
};

Overrides defaults_of(ExperimentReader& reader, ArmsReader& arms) {
  std::map<std::string, Json> given = arms.resolved(reader.defaults, "default");
  if (const std::string& model = reader.file.options.model; !model.empty()) {
    DrawOptions draw;
    draw.model.model = model;
    resolve_draw(reader, draw);
    given["model"] = draw.model.model;
  }
  return overrides_of(given);
}

std::vector<TomlEntry> entries_of(const TomlTable& table, const std::vector<std::string>& names) {
  const auto all = table.entries();
  if (names.empty()) return all;
  std::vector<std::string> known;
  for (const auto& entry : all) known.push_back(entry.key);
  std::vector<TomlEntry> chosen;
  for (const auto& name : names) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const TomlEntry& entry) { return entry.key == name; });
    check(found != all.end(), ErrorKind::input, "[--arms] {} has no arm {}{}", table.source().file, json_excerpt(name),
          did_you_mean(name, known));
    check(std::count(names.begin(), names.end(), name) == 1, ErrorKind::input, "[--arms] got {} twice", name);
    chosen.push_back(*found);
  }
  return chosen;
}

std::vector<std::string> without_part(const TomlTable& top, const ArmsReader& arms) {
  std::vector<std::string> paths;
  for (const auto& entry : top.entries())
    if (const std::vector<std::string> read{"default", "sets", "loras", "embeddings", "arms", "model"};
        std::find(read.begin(), read.end(), entry.key) == read.end())
      paths.push_back(entry.path);
  paths.insert(paths.end(), arms.without_part().begin(), arms.without_part().end());
  return paths;
}

// The one that is called so, or begins so up to an underscore.
std::string option_named(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  DrawOptions options;
  auto fields = fields_of(options);
  if (const Field* field = find_field(fields, name)) return field->name;
  std::vector<std::string> begins, all;
  for (const auto& field : fields) {
    all.push_back(field.name);
    if (!name.empty() && field.name.starts_with(name + "_")) begins.push_back(field.name);
  }
  if (begins.size() == 1) return begins.front();
  const std::string hint = begins.empty() ? did_you_mean(name, all) : "; did you mean " + joined(begins, " or ") + "?";
  fail(ErrorKind::input, "[{}] got the unknown option {}{}", axis_flag, json_excerpt(name),
       hint.empty() ? ", expected one of a picture, as generate --help lists them" : hint);
}

void check_can_vary(const std::string& option) {
  const bool is_prompt = option == "prompt" || option == "prompt_2";
  check(!is_prompt, ErrorKind::input, "[{}] {} cannot be varied: each prompt has a row of its own, those of --prompts", axis_flag,
        option);
  check(option != "seed", ErrorKind::input, "[{}] seed cannot be varied: the noise is the same along a row; --seeds gives rows",
        axis_flag);
}

// As the option's type has it, so that 3 and 3.0 are one.
Json typed_value(const std::string& option, const std::string& text) {
  check(!text.empty(), ErrorKind::input,
        "[{}] {} has an empty value; a text that is empty is written in a list: '{}=[\"\", \"…\"]'", axis_flag, option, option);
  DrawOptions options;
  auto fields = fields_of(options);
  Field& field = *find_field(fields, option);
  set_from_text(field, text, {Source::file, axis_flag});
  return to_json({field}).at(option);
}

// Values as they would stand in a TOML.
Json values_of(const std::string& option, const std::string& text) {
  check(!text.empty() && text != "[]", ErrorKind::input, "[{}] {} has no values, expected {}=V1,V2,…", axis_flag, option, option);
  if (text.starts_with('[')) return parse_toml("values = " + text, axis_flag + " " + option).at("values");
  Json values = Json::array();
  for (const auto& part : split(text, ',')) values.push_back(typed_value(option, part));
  return values;
}

// One that means the same has the same text: "wrong.safetensors" and "wrong.safetensors:1".
std::string meaning_of(const std::string& option, const Json& value) {
  if (option != "lora") return value.dump();
  std::string text;
  for (const auto& one : value) {
    const LoraSpec spec = parse_lora_spec(one.get<std::string>(), axis_flag);
    text += fmt::format("{}:{}:{}\n", spec.path.string(), spec.weight.text_of(), branch_name(spec.branch));
  }
  return text;
}

// Columns are named after files without their folders where that tells them apart.
void shorten_texts(OptionAxis& axis) {
  static const std::vector<std::string> of_files{"model", "refiner", "vae", "unet", "lora", "embedding"};
  if (std::find(of_files.begin(), of_files.end(), axis.key) == of_files.end()) return;
  std::vector<std::string> texts;
  for (const Json& value : axis.values) {
    std::string text;
    for (const Json& one : value.is_array() ? value : Json::array({value}))
      text += (text.empty() ? "" : "+") + last_name(Path(one.get<std::string>()));
    if (text.empty()) text = "none";
    if (std::find(texts.begin(), texts.end(), text) != texts.end()) return;
    texts.push_back(text);
  }
  axis.texts = texts;
}

OptionAxis parse_axis(const std::string& text, const TomlSource& source) {
  const size_t equals = text.find('=');
  check(equals != std::string::npos && equals > 0, ErrorKind::input,
        "[{}] got \"{}\", expected OPTION=V1,V2,… such as cfg_scale=3,5,7", axis_flag, text);
  const std::string option = option_named(text.substr(0, equals));
  check_can_vary(option);
  const Json list = values_of(option, text.substr(equals + 1));
  OptionAxis axis = axis_of(source, {option, option, &list});
  std::vector<std::string> meanings;
  for (size_t i = 0; i < axis.values.size(); ++i) {
    DrawSettings scratch;
    set_draw(scratch, source, {option, option, &axis.values[i]}, {{}, true});
    axis.values[i] = scratch.given.at(option);
    const std::string meaning = axis.values[i].is_object() ? "{}" : meaning_of(option, axis.values[i]);
    check(std::find(meanings.begin(), meanings.end(), meaning) == meanings.end(), ErrorKind::input,
          "[{}] {} has the value {} twice", axis_flag, option, axis.texts[i]);
    meanings.push_back(meaning);
  }
  shorten_texts(axis);
  return axis;
}

Overrides overrides_of(const std::vector<OptionAxis>& axes, const Turn& turn) {
  Overrides overrides;
  for (size_t i = 0; i < axes.size(); ++i) overrides.emplace_back(axes[i].key, axes[i].values[turn[i]].dump());
  return overrides;
}

}  // namespace

void lay_over(DrawOptions& draw, const Overrides& overrides) {
  static const TomlSource checked{"arms", {}};
  DrawSettings drawing{draw, {}, false};
  for (const auto& [key, text] : overrides) {
    const Json value = parse_json(text, key);
    set_draw(drawing, checked, {key, key, &value}, {{}, true});
  }
  draw = drawing.options;
  if (drawing.negative_is_prompt) draw.picture.negative_prompt = draw.picture.prompt.value_or("");
}

ArmsFile read_arms(const ChosenArms& chosen, const GivenFiles& given) {
  ExperimentReader reader;
  const Json json = begin_experiment(reader, experiment_text(chosen.path), chosen.path);
  const TomlTable top(reader.source, json, "");
  read_files_of_arms(reader, top);
  ArmsFile file;
  file.path = chosen.path;
  ArmsReader arms(reader, given, file);
  file.defaults = defaults_of(reader, arms);
  const Json* tables = top.find("arms");
  check(tables && !tables->empty(), ErrorKind::input, "[{}] has no arms; try [arms.nothing]", reader.source.file);
  for (const auto& entry : entries_of(TomlTable(reader.source, *tables, "arms"), chosen.names))
    file.arms.push_back(arms.arm(entry));
  if (const auto paths = without_part(top, arms); !paths.empty())
    file.notices.push_back(fmt::format("--arms {}: {} have no part in a comparison", chosen.path.string(), joined(paths, ", ")));
  return file;
}

CrossedAxes parse_axes(const std::vector<std::string>& texts) {
  check(texts.size() <= most_axes, ErrorKind::input,
        "[{}] got {} of them, expected at most {}; more are [sweeps] of an experiment", axis_flag, texts.size(), most_axes);
  static const TomlSource source{axis_flag, {}};
  std::vector<OptionAxis> axes;
  CrossedAxes crossed;
  for (const auto& text : texts) {
    axes.push_back(parse_axis(text, source));
    const OptionAxis& axis = axes.back();
    check(std::find(crossed.options.begin(), crossed.options.end(), axis.key) == crossed.options.end(), ErrorKind::input,
          "[{}] {} is given twice; write all its values in one: {}=V1,V2,…", axis_flag, axis.key, axis.key);
    crossed.options.push_back(axis.key);
    auto& values = crossed.values.emplace_back();
    for (size_t i = 0; i < axis.values.size(); ++i) values.push_back({axis.texts[i], {{axis.key, axis.values[i].dump()}}});
  }
  if (axes.empty()) return crossed;
  Turn turn(axes.size());
  do crossed.combinations.push_back({combination_name(axes, turn), overrides_of(axes, turn)});
  while (next_turn(axes, turn));
  return crossed;
}

}  // namespace negativa
