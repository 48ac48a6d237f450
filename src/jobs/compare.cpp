#include "jobs/compare.h"

#include "base/files.h"
#include "base/json.h"
#include "image/sheet.h"
#include "io/image_tensor.h"
#include "jobs/generate.h"
#include "jobs/job.h"
#include "jobs/without_effect.h"

namespace negativa {

namespace {

struct Arm {
  std::string label;
  PictureOptions options;
};

std::vector<std::string> on_branch(const std::vector<std::string>& specs, const char* branch) {
  std::vector<std::string> result;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    result.push_back(fmt::format("{}:{}:{}", spec.path.string(), spec.weight, branch));
  }
  return result;
}

// The word joins what the user already wants to avoid.
std::string with_word(const std::optional<std::string>& negative, const std::string& word) {
  return negative.value_or("").empty() ? word : *negative + ", " + word;
}

PictureOptions with_negative_word(PictureOptions picture, const std::string& word) {
  picture.negative_prompt = with_word(picture.negative_prompt, word);
  return picture;
}

std::vector<Arm> make_arms(const PictureOptions& picture, const std::string& negative_word) {
  PictureOptions plain = picture;
  plain.lora.clear();
  const PictureOptions worded = with_negative_word(plain, negative_word);
  const std::string word = "\"" + negative_word + "\"";
  std::vector<Arm> arms{{"nothing", plain}, {word, worded}};
  if (picture.lora.empty()) return arms;
  PictureOptions both = worded, negative = worded;
  both.lora = on_branch(picture.lora, "both");
  negative.lora = on_branch(picture.lora, "negative");
  arms.push_back({"LoRA + " + word, both});
  arms.push_back({"LoRA + " + word + ", negative branch", negative});
  return arms;
}

struct Row {
  std::string label;
  PictureOptions asked;   // with the word
  std::vector<Arm> arms;  // at one seed
};

std::vector<Row> make_rows(const CompareOptions& options) {
  std::vector<Row> rows;
  const bool several = !options.prompts.empty();
  for (const auto& request :
       several ? read_prompts(options.prompts, options.picture) : std::vector<PictureOptions>{options.picture}) {
    const uint64_t first_seed = request.seed.value_or(0);  // fixed, so that the same command gives the same sheet
    for (uint64_t i = 0; i < static_cast<uint64_t>(options.seeds); ++i) {
      const uint64_t seed = seed_plus(first_seed, i);
      PictureOptions picture = request;
      picture.seed = seed;
      rows.push_back({several ? fmt::format("{}, seed {}", picture.prompt.value_or(""), seed) : fmt::format("seed {}", seed),
                      with_negative_word(picture, options.negative_word), make_arms(picture, options.negative_word)});
      check(rows.back().arms.size() == rows.front().arms.size(), ErrorKind::input,
            "[--prompts] line with \"{}\" has LoRAs where others have none; give --lora for all", picture.prompt.value_or(""));
    }
  }
  return rows;
}

// Those of the first row: a prompts file may change them from line to line.
std::string caption_of(const std::string& model, const PictureOptions& picture) {
  const std::string apart = picture.negative_scale ? fmt::format(", negative scale {}", *picture.negative_scale) : "";
  return fmt::format("{}, {} steps, cfg {}{}, same noise in each row", model, picture.steps, picture.cfg_scale, apart);
}

// Row by row, arm by arm.
std::vector<Plan> plans_of(Session& session, const std::vector<Row>& rows) {
  std::vector<Plan> plans;
  std::vector<PictureOptions> asked;
  for (const auto& row : rows) asked.push_back(row.arms.front().options);  // arms differ in words and LoRAs alone
  say_notices(session, asked);
  for (const auto& row : rows)
    for (const auto& arm : row.arms) plans.push_back(session.plan(arm.options));
  return plans;
}

// The arms choose the branches, so one that is written does nothing.
void note_rows(const Session& session, const CompareOptions& options, const std::vector<Row>& rows,
               const std::vector<Plan>& plans) {
  std::vector<AskedPicture> asked;
  const size_t columns = rows.front().arms.size();
  for (size_t i = 0; i < rows.size(); ++i)
    asked.push_back({rows[i].asked, plans[i * columns + 1]});  // as asked for: with the word
  note_asked(session, asked, options.typed);
  for (const auto& row : rows)
    for (const auto& text : row.asked.lora)
      if (parse_lora_spec(text).branch != LoraBranch::both)
        session.caller().events.on_notice(fmt::format("--lora {}: its branch has no effect, since each arm has its own", text));
}

void check_has_prompt(const CompareOptions& options) {
  check(options.picture.prompt.has_value() || !options.prompts.empty(), ErrorKind::input,
        "[-p] a prompt is needed; try -p \"a big lion\"");
}

CompareForecast forecast_now(Engine& engine, const CompareOptions& options, const Caller& caller) {
  check_has_prompt(options);
  const std::vector<Row> rows = make_rows(options);
  std::vector<std::string> arms;
  for (const auto& arm : rows.front().arms) arms.push_back(arm.label);
  Session session(engine, options.model, caller, arms.size() * rows.size());
  const std::vector<Plan> plans = plans_of(session, rows);
  note_rows(session, options, rows, plans);
  return {forecast_pictures(session, plans), options.out, arms, static_cast<int64_t>(rows.size())};
}

CompareReport compare_now(Engine& engine, const CompareOptions& options, const Caller& caller) {
  check_has_prompt(options);
  check_png_name(options.out);
  check_can_write(options.out);
  const std::vector<Row> rows = make_rows(options);
  const size_t columns = rows.front().arms.size();
  Session session(engine, options.model, caller, columns * rows.size());
  const std::vector<Plan> plans = plans_of(session, rows);
  note_rows(session, options, rows, plans);

  Sheet sheet;
  sheet.cells.assign(rows.size(), std::vector<Image8>(columns));
  session.draw(plans, "compare", [&](size_t i, ImageResult&& result) {
    Image8& cell = sheet.cells[i / columns][i % columns] = tensor_to_images(result.image).front();
    caller.events.on_picture({i, {}, cell});
  });
  CompareReport report;
  for (const auto& arm : rows.front().arms) sheet.column_labels.push_back(arm.label);
  for (const auto& row : rows) {
    report.prompts.push_back(row.arms.front().options.prompt.value_or(""));
    report.seeds.push_back(*row.arms.front().options.seed);
    sheet.row_labels.push_back(row.label);
  }
  sheet.title = options.prompts.empty() ? options.picture.prompt.value_or("") : "Negative word and LoRA";
  sheet.caption = caption_of(session.models().files().name, rows.front().arms.front().options);
  report.arms = sheet.column_labels;
  report.pictures = sheet.cells;
  report.sheet = labelled_sheet(sheet);
  write_atomically(options.out, encode_png(report.sheet, {{"Title", sheet.title}, {"Description", sheet.caption}}));
  return report;
}

}  // namespace

CompareForecast forecast_compare(Engine& engine, const CompareOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return forecast_now(engine, options, caller); });
}

CompareReport compare(Engine& engine, const CompareOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return compare_now(engine, options, caller); });
}

}  // namespace negativa
