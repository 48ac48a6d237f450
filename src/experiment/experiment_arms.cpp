// [arms] and [sweeps]: the columns of the experiment.
#include <algorithm>

#include "base/text.h"
#include "experiment/axes.h"
#include "experiment/references.h"

namespace negativa {

namespace {

constexpr size_t most_columns = 10000;

Json json_of(const ColumnOptions& column) {
  return {{"prompts", column.prompts}, {"replicates", column.replicates}, {"training_seeds", column.training_seeds}};
}

ArmTable column_of(const std::string& name, const DrawSettings& drawing, const ColumnOptions& column, const Json& overrides) {
  ArmTable arm;
  arm.name = name;
  arm.overrides_json = overrides.dump();
  arm.draw = drawing.options;
  arm.negative_is_prompt = drawing.negative_is_prompt;
  arm.list = column.prompts;
  arm.replicates = column.replicates;
  arm.training_seeds = column.training_seeds;
  return arm;
}

Json config_of(const OptionAxis& axis) {
  if (!axis.is_named) return plain_number(axis.values.front());
  Json values = Json::array();
  for (const Json& value : axis.values) values.push_back(plain_number(value));
  return values;
}

struct SweepReader {
  ExperimentReader& reader;
  const TomlTable& table;
  SweepTable sweep;
  ColumnOptions column;
  std::vector<OptionAxis> axes;
  std::vector<Json> settings = {};  // of sweep.arms

  // The column that has none of the sweep: the arm itself, unless its own pictures are there.
  void add_plain(const std::string& arm, const DrawSettings& drawing) {
    const Json plain = drawing.settings();
    for (size_t i = 0; i < reader.arms.size(); ++i) {
      const ArmTable& own = reader.file.arms[i];
      if (reader.arms[i].settings() == plain && own.list == column.prompts && own.replicates >= column.replicates &&
          own.training_seeds >= column.training_seeds)
        return;
    }
    add(arm, drawing, sweep.name + "/" + (arm.empty() ? "default" : arm), {});
  }

  void add_combinations(const std::string& arm, const DrawSettings& drawing) {
    const size_t before = sweep.arms.size();
    Turn turn(axes.size());
    do add_combination(arm, drawing, turn);
    while (next_turn(axes, turn));
    check(sweep.arms.size() > before, ErrorKind::input, "[{}] {} varies nothing: its values are those of {}", table.where(),
          table.path(), arm.empty() ? "[default]" : toml_path("arms", arm));
  }

 private:
  void add_combination(const std::string& arm, DrawSettings drawing, const Turn& turn) {
    const Json plain = drawing.settings();
    for (size_t i = 0; i < axes.size(); ++i) {
      const OptionAxis& axis = axes[i];
      const std::string path = axis.is_named ? toml_path(axis.path, turn[i]) : axis.path;
      set_draw(drawing, reader.source, {axis.key, path, &axis.values[turn[i]]}, {column_keys(), true});
    }
    if (drawing.settings() == plain) return;  // the arm itself, whose column there is
    check_draw(reader, drawing, table.path());
    add(arm, drawing, sweep.name + "/" + (arm.empty() ? "" : arm + "/") + combination_name(axes, turn),
        combination_texts(axes, turn));
  }

  void add(const std::string& arm, const DrawSettings& drawing, const std::string& name,
           std::vector<std::pair<std::string, std::string>> values) {
    Json own = drawing.settings();
    for (size_t i = 0; i < sweep.arms.size(); ++i)
      check(sweep.arms[i].name != name && (sweep.of_arm[i] != arm || settings[i] != own), ErrorKind::input,
            "[{}] {} has the column {} twice", table.where(), table.path(), json_excerpt(sweep.arms[i].name));
    settings.push_back(std::move(own));
    check(sweep.arms.size() < most_columns, ErrorKind::input, "[{}] {} has more than {} columns", table.where(), table.path(),
          most_columns);
    sweep.arms.push_back(column_of(name, drawing, column, overrides_of(reader, drawing)));
    sweep.of_arm.push_back(arm);
    sweep.axes.push_back(std::move(values));
  }
};

std::vector<std::string> varied_arms(ExperimentReader& reader, const TomlTable& table) {
  const Json* value = table.find("arms");
  if (!value) return {""};
  const TomlEntry entry{"arms", toml_path(table.path(), "arms"), value};
  const auto names = texts_of(reader.source, entry);
  check(!names.empty(), ErrorKind::input, "[{}] {} is empty; leave it out to vary [default]", table.where("arms"), entry.path);
  std::vector<std::string> known;
  for (const auto& arm : reader.file.arms) known.push_back(arm.name);
  std::set<std::string> seen;
  for (const auto& name : names) {
    check(std::find(known.begin(), known.end(), name) != known.end(), ErrorKind::input, "[{}] {}: there is no arm {}{}",
          table.where("arms"), entry.path, json_excerpt(name), did_you_mean(name, known));
    check(seen.insert(name).second, ErrorKind::input, "[{}] {} has {} twice", table.where("arms"), entry.path,
          json_excerpt(name));
  }
  return names;
}

const DrawSettings& drawing_of(const ExperimentReader& reader, const std::string& arm) {
  for (size_t i = 0; i < reader.file.arms.size(); ++i)
    if (reader.file.arms[i].name == arm) return reader.arms[i];
  return reader.defaults;
}

SweepTable read_sweep(ExperimentReader& reader, const TomlTable& table, const std::string& name) {
  SweepReader sweep{reader, table, {name, {}, {}, {}}, read_column(reader, table), {}};
  Json config = json_of(sweep.column);
  for (const auto& entry : table.entries()) {
    if (std::find(column_keys().begin(), column_keys().end(), entry.key) != column_keys().end()) continue;
    if (entry.key == "arms") {
      config[entry.key] = *entry.value;
      continue;
    }
    sweep.axes.push_back(axis_of(reader.source, entry));
    config[entry.key] = config_of(sweep.axes.back());
  }
  check(!sweep.axes.empty(), ErrorKind::input,
        "[{}] {} varies nothing; give it an option with a list of values, such as cfg_scale = [3, 6]", table.where(),
        table.path());
  for (const auto& arm : varied_arms(reader, table)) {
    sweep.add_plain(arm, drawing_of(reader, arm));
    sweep.add_combinations(arm, drawing_of(reader, arm));
  }
  reader.config["sweeps"][name] = std::move(config);
  return std::move(sweep.sweep);
}

}  // namespace

const std::vector<std::string>& column_keys() {
  static const std::vector<std::string> keys{"prompts", "replicates", "training_seeds"};
  return keys;
}

ColumnOptions read_column(ExperimentReader& reader, const TomlTable& table) {
  ColumnOptions column{reader.file.prompts.draw, reader.file.options.replicates, reader.file.options.training_seeds};
  auto fields = fields_of(column);
  for (const auto& entry : table.entries())
    if (find_field(fields, entry.key)) set_entry(fields, reader.source, entry);
  std::vector<std::string> names;
  for (const auto& [name, list] : reader.file.prompts.lists) names.push_back(name);
  check(reader.file.prompts.lists.contains(column.prompts), ErrorKind::input, "[{}] {}: [prompts] has no list {}{}",
        table.where("prompts"), table.path(), json_excerpt(column.prompts), did_you_mean(column.prompts, names));
  reader.used_lists.insert(column.prompts);
  return column;
}

void read_arms(ExperimentReader& reader, const TomlTable& table) {
  for (const auto& entry : table.entries()) {
    check_table_name(reader.source, entry);
    const TomlTable arm(reader.source, *entry.value, entry.path);
    const ColumnOptions column = read_column(reader, arm);
    DrawSettings drawing = reader.defaults;
    for (const auto& option : arm.entries())
      if (std::find(column_keys().begin(), column_keys().end(), option.key) == column_keys().end())
        set_draw(drawing, reader.source, option, {column_keys(), true});
    check_draw(reader, drawing, entry.path);
    const Json overrides = overrides_of(reader, drawing);
    reader.file.arms.push_back(column_of(entry.key, drawing, column, overrides));
    reader.arms.push_back(std::move(drawing));
    Json config = overrides;
    config.update(json_of(column));
    reader.config["arms"][entry.key] = std::move(config);
  }
  check(!reader.file.arms.empty(), ErrorKind::input, "[{}] has no arms; try [arms.nothing]", reader.source.file);
}

void read_sweeps(ExperimentReader& reader, const TomlTable& table) {
  for (const auto& entry : table.entries()) {
    check_table_name(reader.source, entry);
    reader.file.sweeps.push_back(read_sweep(reader, TomlTable(reader.source, *entry.value, entry.path), entry.key));
  }
}

}  // namespace negativa
