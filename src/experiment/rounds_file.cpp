#include "experiment/rounds_file.h"

#include <algorithm>

#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "experiment/toml_text.h"
#include "lora/lora_spec.h"
#include "runs/comparison.h"

namespace negativa {

namespace {

constexpr const char* to_run = "../../";  // from the folder of the rounds

// What a LoRA that a training goes on from decides itself.
constexpr const char* decided_by_file[] = {"rank", "alpha",         "conv_rank", "conv_alpha",  "targets",
                                           "dora", "text_encoders", "set",       "checkpoints", "network_weights"};

// Reads the plan of a run.
class RunReader {
 public:
  RunReader(const RunStore& run, const RoundsArm& asked)
      : plan_(*run.frozen()), folder_(run.folder()), asked_(asked), config_(parse_json(plan_.config_json, names::plan_file)) {}

  const Json& config() const { return config_; }
  const RunPlan& plan() const { return plan_; }

  const PlannedArm& arm() const {
    const auto planned = arms_of_comparison(plan_, plan_.analysis.primary);
    check(planned || !asked_.arm.empty(), ErrorKind::input, "[--arm] is needed, as the run plans no comparison; one of {}",
          joined(arms(), ", "));
    const int number = asked_.arm.empty() ? planned->first : arm_named(plan_, asked_.arm);
    check(number >= 0, ErrorKind::input, "[--arm] the run has no arm {}{}; it has {}", json_excerpt(Json(asked_.arm)),
          did_you_mean(asked_.arm, arms()), joined(arms(), ", "));
    return plan_.arms[static_cast<size_t>(number)];
  }

  // A path as it opens from anywhere. Names without a folder may be those of $NEGATIVA_MODELS and stay.
  std::string outside(const std::string& text, const std::string& key) const {
    const std::filesystem::path path = text;
    if (text.empty() || path.is_absolute()) return text;
    if (asked_.toml.empty()) {
      check(!path.has_parent_path(), ErrorKind::input,
            "[--toml] is needed: {} of the run is {}, which begins at the folder of its TOML", key, text);
      return text;
    }
    const auto beside = std::filesystem::absolute(asked_.toml).parent_path() / path;
    std::error_code ignored;
    return std::filesystem::exists(beside, ignored) || path.has_parent_path() ? beside.lexically_normal().string() : text;
  }

  // The table that the name in a LoRA's text stands for; null: it is a file.
  const Json* lora_table(const std::string& text) const { return table_of("loras", text.substr(0, text.find_first_of(":@"))); }
  const Json* table_of(const char* tables, const std::string& name) const {
    if (!config_.contains(tables) || !config_[tables].contains(name)) return nullptr;
    return &config_[tables][name];
  }

  // "wrong:1:negative" as "../../lora/wrong-t0-1a2b3c4d.safetensors" and ":1:negative".
  ArmLora lora(const std::string& text) const {
    const std::string name = parse_lora_spec(text).path.string(), weight = text.substr(name.size());
    const Json* table = lora_table(text);
    if (!table) return {outside(name, "lora"), weight};
    if (table->contains("file")) return {outside((*table)["file"].get<std::string>(), "loras." + name), weight};
    return {to_run + lora_cell(name).file, weight};
  }

  // A name of [embeddings] as its file and word.
  std::string embedding_text(const std::string& text) const {
    const Json* table = table_of("embeddings", text);
    if (!table) return outside(text, "embedding");
    const std::string word = get_or<std::string>(*table, "name", "", "embeddings." + text);
    const std::string with_word = "=" + (word.empty() ? "<" + text + ">" : word);
    if (table->contains("file")) return outside((*table)["file"].get<std::string>(), "embeddings." + text) + with_word;
    return to_run + made_cell(CellStage::embedding, text).file + with_word;
  }

 private:
  std::vector<std::string> arms() const {
    std::vector<std::string> names;
    for (const auto& arm : plan_.arms) names.push_back(arm.name);
    return names;
  }

  // "wrong@300" is "wrong" itself where that has 300 steps.
  const PlannedCell& lora_cell(const std::string& name) const {
    const std::string table = name.substr(0, name.find('@'));
    for (const CellStage stage : {CellStage::lora, CellStage::random_lora, CellStage::merged_lora})
      for (const std::string& one : {name, table})
        if (const PlannedCell* cell = find_cell(stage, one)) return whole(*cell);
    fail(ErrorKind::input, "[experiment next] the run has no LoRA {}", name);
  }
  const PlannedCell& made_cell(CellStage stage, const std::string& name) const {
    const PlannedCell* cell = find_cell(stage, name);
    check(cell != nullptr, ErrorKind::input, "[experiment next] the run has no {} {}", stage_name(stage), name);
    return whole(*cell);
  }
  const PlannedCell* find_cell(CellStage stage, const std::string& name) const {
    const auto found = std::find_if(plan_.cells.begin(), plan_.cells.end(), [&](const PlannedCell& cell) {
      return cell.stage == stage && cell.name == name && cell.training <= 0;
    });
    return found == plan_.cells.end() ? nullptr : &*found;
  }
  const PlannedCell& whole(const PlannedCell& cell) const {
    std::error_code ignored;
    check(std::filesystem::exists(folder_ / cell.file, ignored), ErrorKind::input,
          "[{}] is not made yet; finish the run with negativa experiment run first", (folder_ / cell.file).string());
    return cell;
  }

  const RunPlan& plan_;
  const std::filesystem::path folder_;
  const RoundsArm& asked_;
  const Json config_;
};

// What [default] and the arm say of one option of their lists.
std::vector<std::string> texts_of(const RunReader& run, const Json& overrides, const char* key) {
  const Json& defaults = run.config()["default"];
  const Json list = overrides.contains(key) ? overrides[key] : defaults.contains(key) ? defaults[key] : Json::array();
  return list.get<std::vector<std::string>>();
}

// The only one of these LoRAs that the run trains.
size_t improved_of(const RunReader& run, const std::vector<std::string>& loras, const std::string& arm) {
  std::vector<size_t> trained;
  for (size_t i = 0; i < loras.size(); ++i)
    if (const Json* table = run.lora_table(loras[i]); table && table->contains("set")) trained.push_back(i);
  check(trained.size() == 1, ErrorKind::input,
        "[--arm] the arm {} has {} LoRAs that the run trains on a set, expected one: it is what goes on from round to round", arm,
        trained.empty() ? "no" : std::to_string(trained.size()));
  return trained.front();
}

std::string caption_of(const RunReader& run, const std::string& lora, const std::string& asked) {
  if (!asked.empty()) return asked;
  const std::string set = get<std::string>(*run.lora_table(lora), "set", lora);
  const Json* table = run.table_of("sets", set);
  const std::string caption = table ? get_or<std::string>(*table, "caption", "", "sets." + set) : "";
  check(!caption.empty(), ErrorKind::input,
        "[--caption] is needed: the pictures of {} have captions of their own, and rejects are trained on one text", set);
  return caption;
}

// Paths among the options of a picture and its model.
void resolve_paths(const RunReader& run, Json& options) {
  for (const char* key : {"refiner", "vae", "unet"})
    if (options.contains(key)) options[key] = run.outside(options[key].get<std::string>(), key);
}

Json prompts_json(const RunPlan& plan, const std::string& list) {
  Json prompts = Json::array();
  for (const auto& prompt : plan.prompts)
    if (prompt.list == list) prompts.push_back({{"prompt", prompt.text}, {"group", prompt.group}});
  return prompts;
}

// Of runs without a seed the first that was drawn.
uint64_t seed_of(const RunReader& run) {
  const Json& config = run.config();
  return config.contains("seed") && !config["seed"].is_null() ? config["seed"].get<uint64_t>() : run.plan().base_seeds.front();
}

std::string head_of(const RunReader& run, const PlannedArm& arm) {
  const Json& config = run.config();
  std::string text =
      fmt::format("# Rounds of rejecting from the run {}: round-0 is its arm {}. Written by negativa experiment next.\n",
                  run.plan().name, toml_value(arm.name));
  const auto add = [&](const char* key, const Json& value) { text += fmt::format("{} = {}\n", key, toml_value(value)); };
  for (const char* key : {"model", "judge"})
    if (const auto path = run.outside(get_or<std::string>(config, key, "", names::plan_file), key); !path.empty()) add(key, path);
  add("seed", seed_of(run));
  add("replicates", arm.replicates);
  if (get_or(config, "calibrate", false, names::plan_file)) add("calibrate", true);
  Json defaults = config["default"];
  for (const char* key : {"lora", "embedding"}) defaults.erase(key);
  resolve_paths(run, defaults);
  text += toml_table_text("default", defaults);
  text += toml_table_text("prompts", {{"draw", arm.list}, {arm.list, prompts_json(run.plan(), arm.list)}});
  return text;
}

Json analysis_of(const AnalysisPlan& plan) {
  Json analysis = {{"metric", plan.metric}, {"guard", plan.guard}, {"level", plan.level}, {"claim", "these"}};
  if (plan.metrics.empty()) return analysis;
  std::vector<std::string> metrics = plan.metrics;
  for (const char* needed : {"damage", "right_object", "difference"})
    if (std::find(metrics.begin(), metrics.end(), needed) == metrics.end()) metrics.push_back(needed);
  analysis["metrics"] = metrics;
  return analysis;
}

std::string arm_text(const RoundsBase& base, size_t round) {
  Json overrides = parse_json(base.overrides_json, "arm");
  for (size_t i = 0; i < base.loras.size(); ++i) {
    const bool is_of_round = i == base.improved && round > 0;
    overrides["lora"].push_back((is_of_round ? round_name(round) : base.loras[i].file) + base.loras[i].weight);
  }
  return toml_table_text("arms." + round_name(round), overrides);
}

std::string round_text(const RoundsBase& base, const BegunRound& begun, size_t round) {
  Json training = parse_json(base.training_json, "training");
  const std::string set = fmt::format("rejected-{}", round);
  training["set"] = set;
  training["seed"] = base.training_seed + round;
  training["network_weights"] = round == 1 ? base.loras[base.improved].file : round_name(round - 1);
  return toml_table_text("sets." + set, {{"folder", begun.rejects}, {"caption", base.caption}}) +
         toml_table_text("loras." + round_name(round), training) + arm_text(base, round);
}

}  // namespace

std::string round_name(size_t round) { return fmt::format("round-{}", round); }

RoundsBase rounds_base(const RunStore& store, const RoundsArm& asked) {
  check(store.frozen().has_value(), ErrorKind::input, "[{}] has no plan yet; negativa experiment run begins it",
        store.folder().string());
  const RunReader run(store, asked);
  const PlannedArm& arm = run.arm();
  RoundsBase base;
  base.arm = arm.name;
  base.head = head_of(run, arm);
  Json overrides = parse_json(arm.overrides_json, "arm " + arm.name);
  const auto loras = texts_of(run, overrides, "lora");
  base.improved = improved_of(run, loras, arm.name);
  for (const auto& text : loras) base.loras.push_back(run.lora(text));
  base.caption = caption_of(run, loras[base.improved], asked.caption);
  Json training = *run.lora_table(loras[base.improved]);
  base.training_seed = get_or<uint64_t>(training, "seed", 0, "loras");
  for (const char* key : decided_by_file) training.erase(key);
  base.training_json = canonical_json(training);
  Json embeddings = Json::array();
  for (const auto& text : texts_of(run, overrides, "embedding")) embeddings.push_back(run.embedding_text(text));
  overrides.erase("lora");
  overrides.erase("embedding");
  if (!embeddings.empty()) overrides["embedding"] = std::move(embeddings);
  resolve_paths(run, overrides);
  base.overrides_json = canonical_json(overrides);
  base.analysis_json = canonical_json(analysis_of(run.plan().analysis));
  return base;
}

std::string rounds_toml(const RoundsBase& base, const std::vector<BegunRound>& rounds) {
  std::string text = base.head + arm_text(base, 0);
  Json analysis = parse_json(base.analysis_json, "analysis");
  Json secondary = Json::array();
  for (size_t i = 1; i <= rounds.size(); ++i) {
    text += round_text(base, rounds[i - 1], i);
    if (i > 1) secondary.push_back(fmt::format("{} - {}", round_name(i), round_name(i - 1)));
  }
  if (!rounds.empty()) analysis["primary"] = fmt::format("{} - {}", round_name(rounds.size()), round_name(0));
  if (!secondary.empty()) analysis["secondary"] = std::move(secondary);
  return text + toml_table_text("analysis", analysis);
}

}  // namespace negativa
