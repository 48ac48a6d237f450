// [analysis] and [tune]: what is decided before the run, and what is tried beside it.
#include <algorithm>

#include "base/text.h"
#include "experiment/experiment_reader.h"
#include "experiment/references.h"

namespace negativa {

namespace {

constexpr size_t most_candidates = 12;
constexpr int64_t fewest_trainings = 3;  // of a verdict about LoRAs made in some way

std::vector<const ArmTable*> all_columns(const ExperimentFile& file) {
  std::vector<const ArmTable*> columns;
  for (const auto& arm : file.arms) columns.push_back(&arm);
  for (const auto& sweep : file.sweeps)
    for (const auto& arm : sweep.arms) columns.push_back(&arm);
  return columns;
}

struct AnalysisOptions {
  AnalysisPlan& plan;

  static void visit(auto& self, auto& v) {
    AnalysisPlan& plan = self.plan;
    v("metric", plan.metric, "metric of the verdict");
    v("guard", plan.guard, "metric that must not get worse; empty: none");
    v("primary", plan.primary, "the difference that the verdict is about: \"article - nothing\"");
    v("secondary", plan.secondary, "differences of one family, adjusted after Holm");
    v("metrics", plan.metrics, "metrics that are measured; default: all that the judge knows");
    v("claim", plan.claim, choices({"made_this_way", "these"}),
      "of which LoRAs the verdict speaks: made_this_way with three training seeds or more, else these");
    v("level", plan.level, range(0.5, 0.9999), "of intervals");
  }
};

const ArmTable& column_named(const ExperimentReader& reader, const std::string& name, const std::string& path) {
  std::vector<std::string> names;
  for (const ArmTable* column : all_columns(reader.file)) {
    if (column->name == name) return *column;
    names.push_back(column->name);
  }
  fail(ErrorKind::input, "[{}] {}: there is no arm {}{}", reader.source.where(path), path, json_excerpt(name),
       did_you_mean(name, names));
}

// Of two arms whose pictures have the same prompts and noise.
void check_difference(const ExperimentReader& reader, const std::string& text, const std::string& path) {
  const std::string where = reader.source.where(path);
  const auto at = text.find(" - ");
  check(at != std::string::npos, ErrorKind::input, "[{}] {}: got {}, expected a difference such as \"article - nothing\"", where,
        path, json_excerpt(text));
  const ArmTable& first = column_named(reader, text.substr(0, at), path);
  const ArmTable& second = column_named(reader, text.substr(at + 3), path);
  check(&first != &second, ErrorKind::input, "[{}] {}: got {}, a difference of one arm to itself", where, path,
        json_excerpt(text));
  check(first.list == second.list && first.replicates == second.replicates, ErrorKind::input,
        "[{}] {}: {} has {} pictures of each prompt of {}, and {} has {} of {}: nothing to compare picture by picture", where,
        path, first.name, first.replicates, first.list, second.name, second.replicates, second.list);
}

void add_axis(std::vector<TuneCandidate>& candidates, size_t count, const std::function<void(TuneCandidate&, size_t)>& set) {
  std::vector<TuneCandidate> more;
  for (const auto& one : candidates)
    for (size_t i = 0; i < count; ++i) {
      more.push_back(one);
      set(more.back(), i);
    }
  candidates = std::move(more);
}

void check_any(const ExperimentReader& reader, const TomlEntry& entry, size_t count) {
  check(count > 0, ErrorKind::input, "[{}] {} has no values", reader.source.where(entry.path), entry.path);
}

void set_axis(ExperimentReader& reader, std::vector<TuneCandidate>& candidates, const TomlEntry& entry) {
  if (entry.key == "steps") {
    const auto values = integers_of(reader.source, entry);
    check_any(reader, entry, values.size());
    return add_axis(candidates, values.size(), [&](TuneCandidate& one, size_t i) { one.steps = values[i]; });
  }
  const auto values = numbers_of(reader.source, entry);
  check_any(reader, entry, values.size());
  if (entry.key != "weight") check_values(reader.source, entry);
  add_axis(candidates, values.size(), [&](TuneCandidate& one, size_t i) {
    (entry.key == "weight" ? one.weight : entry.key == "cfg_scale" ? one.cfg_scale : one.negative_scale) = values[i];
  });
}

const std::vector<std::string> tuned_options{"weight", "cfg_scale", "negative_scale", "steps"};

bool is_tuned(const std::string& key) {
  return std::find(tuned_options.begin(), tuned_options.end(), key) != tuned_options.end();
}

// Lists of values, crossed; or `candidates`, one table each.
void read_candidates(ExperimentReader& reader, const TomlTable& table, TuneTable& tune) {
  std::vector<TuneCandidate> crossed{{}};
  for (const auto& entry : table.entries())
    if (is_tuned(entry.key)) set_axis(reader, crossed, entry);
  const Json* list = table.find("candidates");
  const bool has_axes =
      std::any_of(tuned_options.begin(), tuned_options.end(), [&](const std::string& key) { return table.find(key); });
  check(has_axes != (list != nullptr), ErrorKind::input, "[{}] tune takes either lists of values ({}) or candidates",
        table.where(), joined(tuned_options, ", "));
  if (has_axes) tune.candidates = std::move(crossed);
  const std::string path = toml_path(table.path(), "candidates");
  check(!list || list->is_array(), ErrorKind::input, "[{}] {}: got {}, expected a list of tables", reader.source.where(path),
        path, list ? json_excerpt(*list) : "");
  for (size_t i = 0; list && i < list->size(); ++i) {
    std::vector<TuneCandidate> one{{}};
    for (const auto& entry : TomlTable(reader.source, (*list)[i], toml_path(path, i)).entries()) {
      if (!is_tuned(entry.key)) refuse_unknown(reader.source, entry, tuned_options);
      set_axis(reader, one, entry);
    }
    tune.candidates.insert(tune.candidates.end(), one.begin(), one.end());
  }
  check(!tune.candidates.empty() && tune.candidates.size() <= most_candidates, ErrorKind::input,
        "[{}] tune has {} candidates, expected 1 to {}: each look at the tuning prompts makes the choice less honest",
        table.where(), tune.candidates.size(), most_candidates);
}

void check_steps(ExperimentReader& reader, const TomlTable& table, const TuneTable& tune, const ArmTable& arm) {
  const auto where = table.where_and_path("steps");
  bool has_trained = false;
  for (const auto& candidate : tune.candidates) {
    if (!candidate.steps) continue;
    for (const auto& text : arm.draw.picture.lora) {
      const LoraReference reference = find_lora(reader.file, resolved_lora(reader, text), where);
      if (!reference.table || reference.table->set.empty()) continue;
      has_trained = true;
      find_lora(reader.file, fmt::format("{}@{}", reference.table->name, *candidate.steps), where);
    }
    check(has_trained, ErrorKind::input, "[{}] tune.steps is of a LoRA that is trained here, and the arm {} has none", where,
          arm.name);
  }
}

const ArmTable& arm_named(const ExperimentReader& reader, const TomlTable& table, const char* key, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& arm : reader.file.arms) names.push_back(arm.name);
  const auto found = std::find(names.begin(), names.end(), name);
  check(found != names.end(), ErrorKind::input, "[{}] tune.{}: there is no arm {}{}", table.where(key), key, json_excerpt(name),
        did_you_mean(name, names));
  return reader.file.arms[static_cast<size_t>(found - names.begin())];
}

struct TuneKeys {
  TuneTable& tune;

  static void visit(auto& self, auto& v) {
    v("arm", self.tune.arm, "the arm that is tuned");
    v("baseline", self.tune.baseline, "the arm whose right object may not be lost");
    v("prompts", self.tune.prompts, range(1, 100000), "the first so many of prompts.tune");
    v("most_lost", self.tune.most_lost, range(0.0, 1.0), "of right_object against the baseline, at the same guidance scale");
  }
};

}  // namespace

void read_analysis(ExperimentReader& reader, const TomlTable& table) {
  AnalysisPlan& plan = reader.file.analysis;
  plan.claim = reader.file.options.training_seeds >= fewest_trainings ? "made_this_way" : "these";
  AnalysisOptions options{plan};
  auto fields = fields_of(options);
  set_entries(fields, table);
  if (!plan.primary.empty()) check_difference(reader, plan.primary, toml_path(table.path(), "primary"));
  std::set<std::string> seen{plan.primary};
  for (size_t i = 0; i < plan.secondary.size(); ++i) {
    const std::string path = toml_path(toml_path(table.path(), "secondary"), i);
    check_difference(reader, plan.secondary[i], path);
    check(seen.insert(plan.secondary[i]).second, ErrorKind::input, "[{}] {} is asked for twice", reader.source.where(path),
          json_excerpt(plan.secondary[i]));
  }
  check(plan.claim != "made_this_way" || reader.file.options.training_seeds >= 2, ErrorKind::input,
        "[{}] analysis.claim is made_this_way, and training_seeds is 1: one training says nothing of how trainings differ",
        table.where("claim"));
  reader.config["analysis"] = to_json(fields);
}

void read_tune(ExperimentReader& reader, const TomlTable& table) {
  TuneTable tune;
  TuneKeys keys{tune};
  auto fields = fields_of(keys);
  std::vector<std::string> others = tuned_options;
  others.push_back("candidates");
  set_entries(fields, table, {}, others);
  check(!tune.arm.empty(), ErrorKind::input, "[{}] tune has no arm to tune", table.where());
  const ArmTable& arm = arm_named(reader, table, "arm", tune.arm);
  arm_named(reader, table, "baseline", tune.baseline);
  read_candidates(reader, table, tune);
  check_steps(reader, table, tune, arm);
  for (const auto& candidate : tune.candidates)
    check(!candidate.weight || !arm.draw.picture.lora.empty(), ErrorKind::input,
          "[{}] tune.weight is a LoRA's, and the arm {} has none", table.where("weight"), arm.name);
  const auto list = reader.file.prompts.lists.find("tune");
  check(list != reader.file.prompts.lists.end(), ErrorKind::input, "[{}] tune needs the list prompts.tune", table.where());
  check(tune.prompts <= static_cast<int64_t>(list->second.size()) || !table.find("prompts"), ErrorKind::input,
        "[{}] tune.prompts is {}, but prompts.tune has {}", table.where("prompts"), tune.prompts, list->second.size());
  reader.used_lists.insert("tune");
  Json config = to_json(fields);
  for (const auto& entry : table.entries())
    if (std::find(others.begin(), others.end(), entry.key) != others.end()) config[entry.key] = *entry.value;
  reader.choice["tune"] = std::move(config);
  reader.file.tune = std::move(tune);
}

void check_captions(const ExperimentReader& reader) {
  std::map<std::string, std::string> lists;  // by prompt
  for (const auto& [name, prompts] : reader.file.prompts.lists)
    for (const auto& prompt : prompts) lists.emplace(prompt.text, name);
  for (const auto& set : reader.file.sets) {
    std::vector<std::string> captions = set.options.subjects;
    captions.push_back(set.options.caption);
    for (const auto& caption : captions) {
      const auto found = lists.find(caption);
      check(found == lists.end(), ErrorKind::input,
            "[{}] the caption {} of sets.{} stands in the list {} too: what is trained on cannot be asked about",
            reader.source.where(toml_path("sets", set.name)), json_excerpt(caption), set.name,
            found == lists.end() ? "" : found->second);
    }
  }
}

namespace {

// Trainings are counted where there are any.
void note_training_seeds(ExperimentReader& reader) {
  ExperimentFile& file = reader.file;
  const auto note = [&](const std::string& path, bool is_trained) {
    const std::string key = toml_path(path, "training_seeds");
    if (!is_trained && file.lines.contains(key))
      file.notices.push_back(fmt::format("{}: {} has no effect, since nothing in it is trained", reader.source.where(key), key));
    return is_trained;
  };
  bool any = false;
  for (const auto& arm : file.arms) any |= note(toml_path("arms", arm.name), has_trained(file, arm.draw));
  for (const auto& sweep : file.sweeps)
    any |= note(toml_path("sweeps", sweep.name), std::any_of(sweep.arms.begin(), sweep.arms.end(),
                                                             [&](const ArmTable& arm) { return has_trained(file, arm.draw); }));
  note("", any);
}

}  // namespace

void note_unused(ExperimentReader& reader) {
  const auto note = [&](const char* kind, const std::string& name, const std::set<std::string>& used) {
    if (used.contains(name)) return;
    const std::string path = toml_path(kind, name);
    reader.file.notices.push_back(fmt::format("{}: nothing uses {}, so it is not made", reader.source.where(path), path));
  };
  for (const auto& [name, list] : reader.file.prompts.lists)
    if (const std::string path = toml_path("prompts", name); !reader.used_lists.contains(name))
      reader.file.notices.push_back(fmt::format("{}: no arm draws {}", reader.source.where(path), path));
  for (const auto& set : reader.file.sets) note("sets", set.name, reader.used_sets);
  for (const auto& lora : reader.file.loras) note("loras", lora.name, reader.used_loras);
  for (const auto& embedding : reader.file.embeddings) note("embeddings", embedding.name, reader.used_embeddings);
  note_training_seeds(reader);
}

}  // namespace negativa
