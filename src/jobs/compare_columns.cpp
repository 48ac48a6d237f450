#include "jobs/compare_columns.h"

#include <algorithm>

#include "base/file_names.h"
#include "base/json.h"
#include "base/text.h"
#include "image/events.h"

namespace negativa {

namespace {

constexpr size_t most_columns = 1000;

// Arms that a word and LoRAs make. docs/experiments.md has the same names.
struct StockArm {
  const char* name;
  bool has_word;                    // joins the negative prompt
  const char* branch = nullptr;     // of the LoRAs; nullptr: none are in it
  double sign = 1;                  // of their weights
  bool is_apart = false;            // the negative prompt has a row of its own
  bool negative_is_prompt = false;  // the same condition, a worse model
  const char* meaning = "";         // {} is the word in quotes

  bool has_negative() const { return has_word || negative_is_prompt; }
};

const StockArm stock_arms[] = {
    {"nothing", false, nullptr, 1, false, false, ""},
    {"word", true, nullptr, 1, false, false, "negative prompt {}"},
    {"article", true, "both", 1, false, false, "LoRA and negative prompt {}"},
    {"neg-branch", true, "negative", 1, false, false, "LoRA on the negative branch alone, negative prompt {}"},
    {"lora-only", false, "both", 1, false, false, "LoRA without the word"},
    {"minus", false, "positive", -1, false, false, "LoRA at its weight times -1 on the positive branch"},
    {"apart", true, "negative", 1, true, false, "LoRA on the negative branch, negative prompt {} with a row of its own"},
    {"autoguidance", false, "negative", 1, false, true, "LoRA on the negative branch, the prompt as negative prompt"},
};

// The arm's own branch, and its weight's sign.
std::vector<std::string> on_branch(const std::vector<std::string>& specs, const StockArm& arm) {
  std::vector<std::string> result;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    result.push_back(fmt::format("{}:{}:{}", spec.path.string(), arm.sign * spec.weight, arm.branch));
  }
  return result;
}

// The word joins what the user already wants to avoid.
std::string with_word(const std::optional<std::string>& negative, const std::string& word) {
  return negative.value_or("").empty() ? word : *negative + ", " + word;
}

void set_stock(PictureOptions& picture, const StockArm& arm, const std::string& word) {
  picture.lora = arm.branch ? on_branch(picture.lora, arm) : std::vector<std::string>{};
  if (arm.has_word) picture.negative_prompt = with_word(picture.negative_prompt, word);
  if (arm.negative_is_prompt) picture.negative_prompt = picture.prompt.value_or("");
  if (arm.is_apart) picture.negative_scale = picture.negative_scale.value_or(1);
}

CompareColumn column_of(const StockArm& arm, const std::string& word) {
  CompareColumn column{arm.name, 0, {}, {}, [&arm, word](DrawOptions& draw) { set_stock(draw.picture, arm, word); }};
  if (arm.branch) column.own.insert("lora");
  if (arm.has_negative()) column.own.insert("negative_prompt");
  if (arm.negative_is_prompt) column.replaced.insert("negative_prompt");
  if (arm.is_apart) column.own.insert("negative_scale");
  return column;
}

void add_options(CompareColumn& column, const Overrides& overrides) {
  for (const auto& [option, value] : overrides) column.own.insert(option), column.replaced.insert(option);
}

CompareColumn column_of(const NamedArm& arm) {
  CompareColumn column{arm.name, 0, {}, {}, [overrides = arm.overrides](DrawOptions& draw) { lay_over(draw, overrides); }};
  add_options(column, arm.overrides);
  return column;
}

// FILE.toml[:NAME,…]; absent: names of stock arms.
std::optional<ChosenArms> arms_of_file(const std::string& text) {
  std::error_code ignored;
  const Path whole = stored_path(text);
  if (text.ends_with(".toml") || (!text.empty() && std::filesystem::is_regular_file(whole, ignored)))
    return ChosenArms{whole, {}};
  const std::string_view extension = ".toml:";
  const size_t at = text.rfind(extension);
  if (at == std::string::npos) return {};
  const size_t end = at + extension.size();
  return ChosenArms{stored_path(text.substr(0, end - 1)), split(text.substr(end), ',')};
}

const StockArm& stock_arm(const std::string& name) {
  std::vector<std::string> names;
  for (const auto& arm : stock_arms) {
    if (name == arm.name) return arm;
    names.push_back(arm.name);
  }
  fail(ErrorKind::input, "[--arms] got {}, expected names among {}, or a TOML file{}", json_excerpt(name), joined(names, ", "),
       did_you_mean(name, names));
}

std::vector<const StockArm*> named_arms(const std::string& text) {
  std::vector<const StockArm*> arms;
  for (const auto& name : split(text, ',')) {
    const StockArm& arm = stock_arm(name);
    check(std::find(arms.begin(), arms.end(), &arm) == arms.end(), ErrorKind::input, "[--arms] got {} twice", arm.name);
    arms.push_back(&arm);
  }
  return arms;
}

// Without --arms those of which all rows can have: two, and with LoRAs four.
std::vector<const StockArm*> chosen_arms(const CompareOptions& options, const std::vector<PictureOptions>& rows) {
  const auto has_loras = [](const PictureOptions& row) { return !row.lora.empty(); };
  const bool any = std::any_of(rows.begin(), rows.end(), has_loras);
  const auto arms = named_arms(!options.arms.empty() ? options.arms : any ? "nothing,word,article,neg-branch" : "nothing,word");
  for (const StockArm* arm : arms) {
    if (!arm->branch) continue;
    check(any, ErrorKind::input, "[--arms] {} needs a LoRA; give one with --lora FILE", arm->name);
    for (const auto& row : rows)
      check(has_loras(row), ErrorKind::input,
            "[--prompts] the line with \"{}\" has no LoRA where others have one; give --lora for all", row.prompt.value_or(""));
  }
  return arms;
}

// The arms choose the branches, so one that is written does nothing.
void note_branches(const std::vector<PictureOptions>& rows, EventSink& events) {
  for (const auto& row : rows)
    for (const auto& text : row.lora)
      if (parse_lora_spec(text).branch != LoraBranch::both)
        events.on_notice(fmt::format("--lora {}: its branch has no effect, since each arm has its own", text));
}

bool gave_word(const CompareOptions& options) {
  return options.typed.contains("negative_word") || options.negative_word != CompareOptions{}.negative_word;
}

std::vector<CompareColumn> stock_columns(const CompareOptions& options, const std::vector<PictureOptions>& rows,
                                         EventSink& events) {
  const auto arms = chosen_arms(options, rows);
  std::vector<CompareColumn> columns;
  for (const StockArm* arm : arms) columns.push_back(column_of(*arm, options.negative_word));
  const bool has_word = std::any_of(arms.begin(), arms.end(), [](const StockArm* arm) { return arm->has_word; });
  const bool has_lora = std::any_of(arms.begin(), arms.end(), [](const StockArm* arm) { return arm->branch != nullptr; });
  const bool gave_lora = std::any_of(rows.begin(), rows.end(), [](const PictureOptions& row) { return !row.lora.empty(); });
  if (!has_word && gave_word(options)) events.on_notice("--negative-word has no effect: no arm of --arms has the word");
  if (has_lora) note_branches(rows, events);
  if (!has_lora && gave_lora) events.on_notice("--lora has no effect: no arm of --arms has a LoRA");
  return columns;
}

std::vector<CompareColumn> file_columns(const CompareOptions& options, const ArmsFile& file, EventSink& events) {
  std::vector<CompareColumn> columns;
  for (const auto& arm : file.arms) columns.push_back(column_of(arm));
  if (gave_word(options))
    events.on_notice(fmt::format("--negative-word has no effect: the arms are those of {}", file.path.string()));
  return columns;
}

std::string settings_of(DrawOptions draw) { return canonical_json(to_json(fields_of(draw))); }

// Whether any of the values changes any picture.
bool has_effect(const std::vector<CrossedAxes::Value>& values, const std::vector<CompareColumn>& arms, const CompareBase& base,
                const std::vector<PictureOptions>& rows) {
  for (const auto& arm : arms)
    for (const auto& row : rows) {
      DrawOptions plain{base.draw.model, row};
      arm.set(plain);
      for (const auto& value : values) {
        DrawOptions varied = plain;
        lay_over(varied, value.overrides);
        if (settings_of(varied) != settings_of(plain)) return true;
      }
    }
  return false;
}

void check_axes(const CrossedAxes& axes, const std::vector<CompareColumn>& arms, const CompareBase& base,
                const std::vector<PictureOptions>& rows) {
  for (size_t i = 0; i < axes.options.size(); ++i) {
    const std::string& option = axes.options[i];
    for (const auto& arm : arms)
      check(!arm.own.contains(option), ErrorKind::input,
            "[--axis] the arm {} sets {} itself; leave that axis out, or choose other arms, such as --arms nothing", arm.name,
            option);
    check(has_effect(axes.values[i], arms, base, rows), ErrorKind::input,
          "[--axis] {} varies nothing: {} is what the pictures have already", option, axes.values[i].front().text);
  }
  check(arms.size() * (1 + axes.combinations.size()) <= most_columns, ErrorKind::input,
        "[--axis] {} arms with {} combinations each are more than {} columns", arms.size(), axes.combinations.size(),
        most_columns);
}

// Each arm, then its combinations.
std::vector<CompareColumn> crossed(const std::vector<CompareColumn>& arms, const CrossedAxes& axes) {
  std::vector<CompareColumn> columns;
  for (const auto& arm : arms) {
    const size_t plain = columns.size();
    columns.push_back(arm);
    columns.back().plain = plain;
    for (const auto& combination : axes.combinations) {
      CompareColumn column = columns[plain];
      column.name += "/" + combination.name;
      column.set = [of_arm = arm.set, overrides = combination.overrides](DrawOptions& draw) {
        of_arm(draw);
        lay_over(draw, overrides);
      };
      add_options(column, combination.overrides);
      columns.push_back(std::move(column));
    }
  }
  return columns;
}

// Those that stand for what the experiment makes are taken out; what they say beside the file's name has no part.
void take_given_loras(PictureOptions& picture, const ArmsFile& file, EventSink& events) {
  for (size_t i = 0; i < picture.lora.size(); ++i) {
    const std::string& text = picture.lora[i];
    const LoraSpec spec = parse_lora_spec(text);
    check(std::find(file.used_loras.begin(), file.used_loras.end(), i) != file.used_loras.end(), ErrorKind::input,
          "[--lora] {} is in no arm of {}; write it there, or into [default] for all arms", text, file.path.string());
    if (spec.weight != 1 || spec.branch != LoraBranch::both)
      events.on_notice(fmt::format("--lora {}: weight and branch have no effect, since the arms have their own", text));
  }
  picture.lora.clear();
}

void take_given_embeddings(ModelOptions& model, const ArmsFile& file) {
  std::vector<std::string> rest;
  for (size_t i = 0; i < model.embedding.size(); ++i)
    if (std::find(file.used_embeddings.begin(), file.used_embeddings.end(), i) == file.used_embeddings.end())
      rest.push_back(model.embedding[i]);
  model.embedding = std::move(rest);
}

}  // namespace

std::set<std::string> given_options(const DrawOptions& draw, const std::set<std::string>& typed) {
  DrawOptions options;
  Fields fields = fields_of(options);  // remembers the defaults' texts
  options = draw;
  std::set<std::string> given;
  for (const auto& field : fields)
    if ((typed.contains(field.name) && !field.is_list()) || field.value_text() != field.default_text) given.insert(field.name);
  return given;
}

CompareBase compare_base(const CompareOptions& options, EventSink& events) {
  CompareBase base{{options.model, options.picture}, {}};
  const auto chosen = arms_of_file(options.arms);
  if (!chosen) return base;
  base.file = read_arms(*chosen, {options.picture.lora, options.model.embedding});
  for (const auto& line : base.file->notices) events.on_notice(line);
  take_given_loras(base.draw.picture, *base.file, events);
  take_given_embeddings(base.draw.model, *base.file);
  const auto given = given_options(base.draw, options.typed);
  Overrides defaults;
  for (const auto& one : base.file->defaults)
    if (!given.contains(one.first)) defaults.push_back(one);
  lay_over(base.draw, defaults);
  return base;
}

std::vector<CompareColumn> compare_columns(const CompareOptions& options, const CompareBase& base,
                                           const std::vector<PictureOptions>& rows, EventSink& events) {
  const CrossedAxes axes = parse_axes(options.axis);
  const auto arms = base.file ? file_columns(options, *base.file, events) : stock_columns(options, rows, events);
  check_axes(axes, arms, base, rows);
  return crossed(arms, axes);
}

std::string legend_of(const CompareOptions& options, const CompareBase& base, const std::vector<CompareColumn>& columns) {
  if (base.file) return "arms of " + last_name(base.file->path);
  std::vector<std::string> lines;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].plain != i) continue;
    const StockArm& arm = stock_arm(columns[i].name);
    const std::string meaning = fmt::format(fmt::runtime(arm.meaning), "\"" + options.negative_word + "\"");
    if (!meaning.empty()) lines.push_back(fmt::format("{}: {}", arm.name, meaning));
  }
  return joined(lines, "; ");
}

}  // namespace negativa
