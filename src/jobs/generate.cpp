#include "jobs/generate.h"

#include <chrono>
#include <random>

#include "base/file_names.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "core/isa.h"
#include "engine/records.h"
#include "io/image_tensor.h"
#include "jobs/job.h"
#include "jobs/without_effect.h"
#include "lora/notices.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// out.png -> out-0007.png; a folder -> folder/0007.png
Path numbered(const Path& out, size_t index, bool is_folder) {
  const std::string number = fmt::format("{:04}", index);
  if (is_folder) return out / (number + ".png");
  return out.parent_path() / (out.stem().string() + "-" + number + out.extension().string());
}

bool means_folder(const Path& out) { return fs::is_directory(out) || !out.has_filename(); }

// One line of a prompts file over the flags: keys are the options of a picture.
PictureOptions with_line(PictureOptions options, const std::string& line, const std::string& where) {
  const Json json = parse_json(line, where);
  check(json.is_object(), ErrorKind::input, "[{}] got {}, expected a JSON object as {{\"prompt\": \"…\"}}", where,
        json_excerpt(json));
  Fields fields = fields_of(options);
  set_from_json(fields, json, {Source::request, where});
  remember_choices(fields, options);
  check(options.prompt.has_value(), ErrorKind::input,
        "[{}] has no prompt; write {{\"prompt\": \"…\"}} or give one for all lines with -p", where);
  return options;
}

uint64_t drawn_seed() {
  std::random_device device;
  return device();  // 32 bits: short enough to type
}

// A line of metadata.jsonl: what a training set needs, and the settings that made the picture.
std::string metadata_line(const PictureRequest& request) {
  const PictureOptions& options = request.options;
  Json line = picture_settings(options);
  line.erase("prompt");
  line.erase("lora");  // paths
  line["file_name"] = request.file.filename().string();
  line["text"] = options.prompt.value_or("");
  return line.dump() + "\n";
}

// What a picture made here carries; empty: there is none.
std::string recipe_text_of(const Path& file) {
  if (!fs::exists(file)) return "";
  try {
    for (const auto& [key, text] : read_png_text(file))
      if (key == names::png_recipe) return text;
  } catch (const Error&) {  // not a PNG any more: made again
  }
  return "";
}

// A set without a seed goes on with the one that was drawn for its first pictures; absent: there are none.
std::optional<uint64_t> seed_of_set(const GeneratePlan& plan, int64_t batch_count) {
  for (size_t i = 0; i < plan.requests.size(); ++i) {
    const std::string text = plan.requests[i].options.seed ? "" : recipe_text_of(plan.requests[i].file);
    if (!text.empty())
      return Recipe::from_text(text, plan.requests[i].file.string()).seed - i % static_cast<uint64_t>(batch_count);
  }
  return {};
}

// The last that can be refused before the first step, and the first that touches the disk.
void check_output(const GenerateOptions& options, const GeneratePlan& plan) {
  if (const Path& tensors = options.output.save_tensors; !tensors.empty()) {
    check(plan.requests.size() == 1, ErrorKind::input, "[--save-tensors] is for one picture, got {}", plan.requests.size());
    check_can_write(tensors);
  }
  if (plan.is_set || plan.makes_folder) make_folder(plan.folder);
  check_can_write(plan.requests.front().file);
}

}  // namespace

uint64_t seed_plus(uint64_t seed, uint64_t i) {
  constexpr auto last = std::numeric_limits<uint64_t>::max();
  check(seed <= last - i, ErrorKind::input,
        "[--seed] got {} for a picture and {} after it, expected seeds up to {}; try a smaller one", seed, i, last);
  return seed + i;
}

std::vector<PictureOptions> read_prompts(const Path& file, const PictureOptions& flags) {
  std::vector<PictureOptions> requests;
  const std::string text = read_file(file);
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    requests.push_back(with_line(flags, line, fmt::format("{} line {}", file.filename().string(), number)));
  }
  check(!requests.empty(), ErrorKind::input, "[--prompts] {} has no requests; expected one JSON object a line", file.string());
  return requests;
}

GeneratePlan plan_generate(const GenerateOptions& options) {
  const auto& output = options.output;
  GeneratePlan plan;
  plan.is_set = !output.prompts.empty();
  for (const auto& request :
       plan.is_set ? read_prompts(output.prompts, options.picture) : std::vector<PictureOptions>{options.picture}) {
    check(request.prompt.has_value() || plan.is_set || !output.from.empty(), ErrorKind::input,
          "[-p] a prompt is needed; try -p \"a big lion\"");
    plan.requests.insert(plan.requests.end(), static_cast<size_t>(output.batch_count), {request, {}});
  }
  // Several pictures lie in a folder of their own: `-o wrong/`, `-o wrong` or `-o wrong.v2`; `-o wrong/w.png` gives
  // wrong/w-0000.png.
  const bool several = plan.is_set || plan.requests.size() > 1;
  const bool folder = means_folder(output.out) || (several && !is_png_name(output.out));
  if (!folder) check_png_name(output.out);
  plan.makes_folder = folder;
  plan.folder = folder ? output.out : output.out.parent_path().empty() ? Path(".") : output.out.parent_path();
  for (size_t i = 0; i < plan.requests.size(); ++i)
    plan.requests[i].file = several || folder ? numbered(output.out, i, folder) : output.out;

  const auto of_set = plan.is_set ? seed_of_set(plan, output.batch_count) : std::nullopt;
  const uint64_t drawn = of_set ? *of_set : drawn_seed();
  for (size_t i = 0; i < plan.requests.size(); ++i) {
    auto& seed = plan.requests[i].options.seed;
    seed = seed_plus(seed.value_or(drawn), i % static_cast<uint64_t>(output.batch_count));
  }
  return plan;
}

namespace {

struct Job {
  Plan plan;
  Recipe recipe;
  const PictureRequest* request;
};

std::vector<AskedPicture> asked_of(const GeneratePlan& plan, const std::vector<Job>& jobs) {
  std::vector<AskedPicture> asked;
  for (size_t i = 0; i < jobs.size(); ++i) asked.push_back({plan.requests[i].options, jobs[i].plan});
  return asked;
}

// Earlier recipes say "auto", which is resolved now. A text inside the JSON cannot hold these quotes as they stand.
std::string with_resolved_dtype(std::string recipe, const Session& session) {
  constexpr std::string_view unresolved = "\"weights_dtype\":\"auto\"";
  if (const auto at = recipe.find(unresolved); at != std::string::npos)
    recipe.replace(at, unresolved.size(), "\"weights_dtype\":\"" + session.weights_dtype() + "\"");
  return recipe;
}

std::vector<PictureOptions> asked_of(const GeneratePlan& plan) {
  std::vector<PictureOptions> asked;
  for (const auto& request : plan.requests) asked.push_back(request.options);
  return asked;
}

// Earlier recipes name no instruction set, which was all that the machine had.
bool is_recipe_of(const std::string& text, Recipe recipe) {
  if (text == recipe.to_text()) return true;
  recipe.isa.clear();
  return active_isa() == machine_isa() && text == recipe.to_text();
}

// Plans all, checks all, and takes those that are missing. Resolves the requests.
std::vector<Job> missing_pictures(Session& session, const GenerateOptions& options, GeneratePlan& plan) {
  std::vector<Job> jobs;
  for (const auto& request : plan.requests) jobs.push_back({session.plan(request.options), {}, &request});
  note_asked(session, asked_of(plan, jobs), options.typed);
  std::vector<PictureOptions> pictures;
  for (auto& request : plan.requests) pictures.push_back(request.options = session.resolved(request.options));
  check_output(options, plan);
  const RunInputs inputs = run_inputs(session, pictures);
  for (auto& job : jobs) job.recipe = picture_recipe(session, job.request->options, inputs);
  if (plan.is_set)
    std::erase_if(jobs, [&](const Job& job) {
      return is_recipe_of(with_resolved_dtype(recipe_text_of(job.request->file), session), job.recipe);
    });
  return jobs;
}

// LoRAs of a picture that is made again.
void note_changed_meaning(Session& session, const PictureOptions& picture) {
  for (const auto& text : picture.lora) {
    const auto path = parse_lora_spec(text).path;
    for (const auto& line : lines_of_changed_meaning(*session.lora(path), last_name(path)))
      session.caller().events.on_notice(line);
  }
}

void draw(Session& session, const GenerateOptions& options, const std::vector<Job>& jobs, GenerateReport& report) {
  std::vector<Plan> plans;
  for (const auto& job : jobs) plans.push_back(job.plan);
  const auto times = session.draw(plans, "denoise", [&](size_t i, ImageResult&& result) {
    const Job& job = jobs[i];
    const Image8 image = tensor_to_images(result.image).front();
    write_atomically(job.request->file, encode_png(image, picture_text(job.request->options, job.recipe)));
    if (!options.output.save_tensors.empty()) write_safetensors(options.output.save_tensors, result.tensors);
    ++report.made;
    session.caller().events.on_picture({i, job.request->file, image});
  });
  report.step_seconds = times.median_step_s;
}

GenerateReport generate_now(Engine& engine, const GenerateOptions& options, const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  GeneratePlan plan = plan_generate(options);
  Session session(engine, options.model, caller, plan.requests.size());
  say_notices(session, asked_of(plan));
  const std::vector<Job> jobs = missing_pictures(session, options, plan);
  if (!options.output.from.empty()) note_changed_meaning(session, plan.requests.front().options);
  GenerateReport report;
  report.kept = static_cast<int64_t>(plan.requests.size() - jobs.size());
  for (const auto& request : plan.requests) {
    report.files.push_back(request.file);
    report.seeds.push_back(*request.options.seed);
  }
  if (!jobs.empty()) draw(session, options, jobs, report);
  if (plan.is_set) {
    std::string lines;
    for (const auto& request : plan.requests) lines += metadata_line(request);
    write_atomically(plan.folder / names::metadata_jsonl, lines);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.peak_memory_bytes = peak_memory_bytes();
  return report;
}

GenerateForecast forecast_now(Engine& engine, const GenerateOptions& options, const Caller& caller) {
  const GeneratePlan plan = plan_generate(options);
  Session session(engine, options.model, caller, plan.requests.size());
  say_notices(session, asked_of(plan));
  std::vector<Plan> plans;
  std::vector<AskedPicture> asked;
  for (const auto& request : plan.requests) plans.push_back(session.plan(request.options));
  for (size_t i = 0; i < plans.size(); ++i) asked.push_back({plan.requests[i].options, plans[i]});
  note_asked(session, asked, options.typed);
  return {forecast_pictures(session, plans), plan.requests.front().file};
}

}  // namespace

GenerateReport generate(Engine& engine, const GenerateOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return generate_now(engine, options, caller); });
}

GenerateForecast forecast_generate(Engine& engine, const GenerateOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return forecast_now(engine, options, caller); });
}

void set_from_model(Fields& fields, const GenerateOptions& options, Engine& engine) {
  EventSink silence;
  const CancelToken never;
  const Session session(engine, options.model, {silence, never}, 1);
  const PictureOptions resolved = session.resolved(options.picture);
  const Json defaults = {
      {"width", *resolved.width}, {"height", *resolved.height}, {"sampler", *resolved.sampler}, {"schedule", *resolved.schedule}};
  set_from_json(fields, defaults, {Source::model, session.models().files().name});
}

}  // namespace negativa
