#include "jobs/compare.h"

#include "base/files.h"
#include "base/progress.h"
#include "base/sheet.h"
#include "io/image_tensor.h"
#include "jobs/engine.h"
#include "jobs/records.h"

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

std::vector<Arm> make_arms(const CompareOptions& options) {
  PictureOptions plain = options.picture;
  plain.lora.clear();
  PictureOptions worded = plain;
  worded.negative_prompt = with_word(plain.negative_prompt, options.negative_word);
  const std::string word = "\"" + options.negative_word + "\"";
  std::vector<Arm> arms{{"nothing", plain}, {word, worded}};
  if (options.picture.lora.empty()) return arms;
  PictureOptions both = worded, negative = worded;
  both.lora = on_branch(options.picture.lora, "both");
  negative.lora = on_branch(options.picture.lora, "negative");
  arms.push_back({"LoRA + " + word, both});
  arms.push_back({"LoRA + " + word + ", negative branch", negative});
  return arms;
}

}  // namespace

CompareReport compare(const CompareOptions& options, const CancelToken& cancel) {
  check(!options.picture.prompt.empty(), ErrorKind::input, "[-p] a prompt is needed; try -p \"a big lion\"");
  check_png_name(options.out);
  check_can_write(options.out);
  const auto arms = make_arms(options);
  const size_t seeds = static_cast<size_t>(options.seeds);
  Engine engine(options.model, arms.size() * seeds);
  const uint64_t first_seed = options.picture.seed.value_or(0);  // fixed, so that the same command gives the same sheet
  std::vector<Plan> plans;
  int64_t steps = 0;
  for (size_t row = 0; row < seeds; ++row)
    for (const auto& arm : arms) {
      PictureOptions picture = arm.options;
      picture.seed = first_seed + row;
      plans.push_back(engine.plan(picture));
      steps += denoising_steps(engine.models(), plans.back());
    }

  Sheet sheet;
  sheet.cells.assign(seeds, std::vector<Image8>(arms.size()));
  Progress progress("compare", static_cast<int>(steps));
  RunHooks hooks;
  hooks.cancel = &cancel;
  hooks.on_step = [&] { progress.tick(); };
  engine.run(plans, hooks, [&](size_t i, ImageResult&& result) {
    sheet.cells[i / arms.size()][i % arms.size()] = tensor_to_images(result.image).front();
  });
  CompareReport report;
  for (const auto& arm : arms) sheet.column_labels.push_back(arm.label);
  for (size_t row = 0; row < seeds; ++row) {
    report.seeds.push_back(first_seed + row);
    sheet.row_labels.push_back(fmt::format("seed {}", first_seed + row));
  }
  sheet.title = options.picture.prompt;
  sheet.caption = fmt::format("{}, {} steps, cfg {}, same noise in each row", engine.models().files().name, options.picture.steps, options.picture.cfg_scale);
  report.arms = sheet.column_labels;
  report.pictures = sheet.cells;
  report.sheet = labelled_sheet(sheet);
  write_atomically(options.out, encode_png(report.sheet, {{"Title", sheet.title}, {"Description", sheet.caption}}));
  return report;
}

}  // namespace negativa
