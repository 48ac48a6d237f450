#include "jobs/engine.h"

#include <charconv>
#include <thread>

#include "base/file_names.h"
#include "base/log.h"
#include "base/names.h"
#include "io/models_folder.h"
#include "io/prediction_marks.h"
#include "jobs/lora_notices.h"
#include "jobs/records.h"
#include "pipeline/stages.h"

namespace negativa {

namespace {

int64_t parse_number(std::string_view text, std::string_view flag, std::string_view expected) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  check(error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 1'000'000, ErrorKind::input,
        "[{}] got \"{}\", expected {}", flag, text, expected);
  return value;
}

// fp8: of files that keep their weights so; Models refuses it for others.
constexpr std::string_view storage_names[] = {"fp32", "bf16", "fp16", "int8", "fp8_e4m3", "fp8_e5m2"};
constexpr std::string_view part_names[] = {"text_encoder",         "text_encoder_2",         "unet",        "vae",
                                           "refiner/text_encoder", "refiner/text_encoder_2", "refiner/unet"};

bool is_among(const auto& names, std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// "auto", "fp16" or "text_encoder:fp32,unet:fp16": what a recipe says of a model whose parts differ.
void set_storage(const std::string& text, ModelRequest& request) {
  if (text == "auto") return;
  if (is_among(storage_names, text)) {
    request.storage = dtype_from_name(text);
    return;
  }
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size()), colon = std::min(text.find(':', begin), end);
    const std::string part = text.substr(begin, colon - begin), name = colon < end ? text.substr(colon + 1, end - colon - 1) : "";
    check(is_among(part_names, part) && (name == "file" || is_among(storage_names, name)), ErrorKind::input,
          "[--weights-dtype] got \"{}\", expected auto, fp32, bf16, fp16, int8 or a list as text_encoder:fp32,unet:fp16", text);
    request.part_storage[part] = name == "file" ? std::nullopt : std::optional(dtype_from_name(name));
    begin = end + 1;
  }
}

PictureReads reads_of(const Models& models, const Plan& plan) {
  const auto course = make_course(models, plan);
  return {.negative = is_guided(base_guidance(plan), course.split.base, course.grid.steps()),
          .negative_text = plan.negative_prompt.has_value() || !models.facts().zero_negative,
          .base = course.split.base.size() > 0};
}

PredictionRequest prediction_of(const ModelOptions& options) {
  PredictionRequest asked;
  for (const auto type : {PredictionType::epsilon, PredictionType::v_prediction, PredictionType::sample})
    if (options.prediction_type == prediction_name(type)) asked.type = type;
  if (options.zero_snr) asked.zero_snr = true;
  return asked;
}

}  // namespace

void remember_choices(Fields& fields, PictureOptions& picture) {
  for (const char* name : {"steps", "cfg_scale"})
    if (find_field(fields, name)->source.rank > Source::model) picture.chose_steps_or_cfg = true;
}

SizePx parse_size(const std::string& text, char separator, std::string_view flag) {
  const auto at = text.find(separator);
  const std::string expected = separator == 'x' ? "HEIGHTxWIDTH in pixels, as 768x1024" : "Y,X in pixels, as 0,0";
  check(at != std::string::npos, ErrorKind::input, "[{}] got \"{}\", expected {}", flag, text, expected);
  return {parse_number(std::string_view(text).substr(0, at), flag, expected),
          parse_number(std::string_view(text).substr(at + 1), flag, expected)};
}

GuidanceInterval parse_interval(const std::string& text) {
  GuidanceInterval interval;
  const auto colon = text.find(':');
  const char* end = text.data() + text.size();
  bool good = colon != std::string::npos;
  if (good) {
    const auto first = std::from_chars(text.data(), text.data() + colon, interval.begin);
    const auto second = std::from_chars(text.data() + colon + 1, end, interval.end);
    good = first.ec == std::errc() && first.ptr == text.data() + colon && second.ec == std::errc() && second.ptr == end;
  }
  check(good && 0 <= interval.begin && interval.begin <= interval.end && interval.end <= 1, ErrorKind::input,
        "[--guidance-interval] got \"{}\", expected BEGIN:END with 0 <= BEGIN <= END <= 1", text);
  return interval;
}

EmbeddingSpec parse_embedding_spec(const std::string& text) {
  const auto equals = text.rfind('=');
  const auto whole = stored_path(text);
  if (std::filesystem::exists(whole) || equals == std::string::npos) return {whole, {}};
  check(equals + 1 < text.size() && equals > 0, ErrorKind::input, "[--embedding] got \"{}\", expected FILE or FILE=NAME", text);
  return {stored_path(text.substr(0, equals)), text.substr(equals + 1)};
}

Engine::Engine(const ModelOptions& options, size_t pictures, std::optional<bool> keep_parts)
    : options_(options), device_(device_from_name(options.device)) {
  ModelRequest request;
  request.model = options.model.empty() ? default_model() : find_model(options.model);
  if (!options.refiner.empty()) request.refiner = find_model(options.refiner);
  if (!options.vae.empty()) request.vae = find_vae(options.vae);
  request.device = device_;
  request.keep_parts = keep_parts;
  request.compute = compute_from_name(options.dtype, device_);
  request.prediction = prediction_of(options);
  set_storage(options.weights_dtype, request);
  const int cores = options.threads > 0 ? options.threads : hardware_threads();
  models_ = std::make_unique<Models>(std::move(request));
  weights_dtype_ = models_->weights_dtype();
  load_embeddings();
  const bool side_by_side = models_->is_small() && device_.is_cpu();
  if (!side_by_side)
    threads_a_picture_ = cores;
  else if (models_->keeps_parts())
    workers_ = static_cast<int>(std::min<size_t>(cores, std::max<size_t>(pictures, 1)));
  set_threads(threads_a_picture_);
}

// A token that a file stores acts beside the file's own name, unless it would take a word of the vocabulary away.
void Engine::load_embeddings() {
  for (const auto& text : options_.embedding) {
    const EmbeddingSpec spec = parse_embedding_spec(text);
    Embedding& embedding = embeddings_.emplace_back(load_embedding(spec.path, spec.name, models_->embedding_widths()));
    if (embedding.also.empty()) continue;
    const auto is_free = [&](const char* part) {
      return !models_->files().has(part) ||
             is_free_name(Tokenizer::load(models_->files().tokenizer_folder(part)), embedding.also);
    };
    const std::string file = spec.path.filename().string();
    if (is_free(names::tokenizer) && is_free(names::tokenizer_2)) {
      notice("--embedding {}: write \"{}\", as the file says, or \"{}\"", file, embedding.also, embedding.name);
    } else {
      notice("--embedding {}: write \"{}\"; what the file says, \"{}\", is a word already", file, embedding.name, embedding.also);
      embedding.also.clear();
    }
  }
}

std::shared_ptr<const PictureAdapters> picture_adapters(const std::vector<ActiveLora>& active) {
  auto made = std::make_shared<PictureAdapters>();
  made->unet = unet_adapters(active);
  const char* components[] = {"text_encoder", "text_encoder_2"};
  for (int i = 0; i < 2; ++i) {
    made->negative_text[i] = text_adapters(active, components[i], LoraBranch::negative);
    made->positive_text[i] = text_adapters(active, components[i], LoraBranch::positive);
  }
  return made;
}

std::shared_ptr<const LoraFile> Engine::lora(const std::filesystem::path& path) {
  auto& file = loras_[path];
  if (!file) {
    if (!targets_) targets_ = lora_targets(models_->files());
    file = std::make_shared<const LoraFile>(read_lora(path, *targets_, options_.allow_unmatched));
    notice_skipped(*file, last_name(path));
  }
  return file;
}

void Engine::notice_loras_without_effect(const std::vector<std::string>& specs, const Plan& plan) {
  if (specs.empty()) return;
  const PictureReads reads = reads_of(*models_, plan);
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    const auto why = why_without_effect({lora(spec.path), spec.weight, spec.branch}, reads);
    if (!why.empty() && noticed_.insert(text + why).second) notice("{} has no effect: {}", last_name(spec.path), why);
  }
}

std::shared_ptr<const PictureAdapters> Engine::adapters(const std::vector<std::string>& specs) {
  std::string key;
  for (const auto& spec : specs) key += spec + '\n';
  auto& result = adapters_[key];
  if (result) return result;
  std::vector<ActiveLora> active;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    active.push_back({lora(spec.path), spec.weight, spec.branch});
  }
  return result = picture_adapters(active);
}

std::vector<std::string> Engine::notices(const PictureOptions& asked) const {
  std::vector<std::string> lines;
  const auto& scheduler = models_->facts().scheduler;
  const auto& files = models_->files();
  if (!asked.sampler && !scheduler.replacement.empty() && scheduler.sampler_refusal.empty())
    lines.push_back(scheduler.replacement);
  if (asked.chose_steps_or_cfg) return lines;
  auto sign = sign_of_distilling(scheduler);
  if (sign)
    sign = "its scheduler: " + *sign;
  else
    sign = sign_of_distilling(files.name, files.file.get());
  if (sign)
    lines.push_back(fmt::format(
        "{} looks distilled to few steps ({}): {} steps at cfg {} overdo it; try --steps 8 --cfg-scale 1, or what its makers say",
        files.name, *sign, asked.steps, asked.cfg_scale));
  return lines;
}

PictureOptions Engine::resolved(const PictureOptions& options) const {
  PictureOptions done = options;
  const int64_t side = models_->facts().unet.sample_size * models_->vae_config().factor();
  if (!done.width) done.width = side;
  if (!done.height) done.height = side;
  if (!done.sampler) done.sampler = default_sampler(models_->facts().scheduler);
  if (!done.schedule) done.schedule = default_grid(models_->facts().scheduler);
  if (!done.refiner_cfg_scale) done.refiner_cfg_scale = done.cfg_scale;
  const std::string size = fmt::format("{}x{}", *done.height, *done.width);
  if (!done.original_size) done.original_size = size;
  if (!done.crop_top_left) done.crop_top_left = "0,0";
  if (!done.target_size) done.target_size = size;
  return done;
}

Plan Engine::plan(const PictureOptions& options) {
  const PictureOptions done = resolved(options);
  check(done.seed.has_value(), ErrorKind::input, "[seed] a plan needs a seed");
  Plan plan;
  plan.prompt = done.prompt.value_or("");
  plan.prompt_2 = done.prompt_2.value_or("").empty() ? plan.prompt : *done.prompt_2;
  plan.negative_prompt = done.negative_prompt;
  if (!done.negative_prompt_2.value_or("").empty()) plan.negative_prompt_2 = done.negative_prompt_2;
  plan.weighting = done.weighting == "none" ? Weighting::none : Weighting::compel;
  plan.pooled = done.pooled == "clean" ? PooledFrom::clean : PooledFrom::raw;
  plan.height_px = *done.height;
  plan.width_px = *done.width;
  plan.seed = *done.seed;
  plan.steps = done.steps;
  plan.guidance_scale = done.cfg_scale;
  plan.refiner_guidance_scale = *done.refiner_cfg_scale;
  plan.guidance_rescale = done.guidance_rescale;
  plan.guidance_interval = parse_interval(done.guidance_interval);
  plan.sampler = *done.sampler;
  plan.grid = *done.schedule;
  if (models_->refiner_facts() && done.refiner_start < 1) plan.refiner_start = done.refiner_start;
  plan.original_size = parse_size(*done.original_size, 'x', "--original-size");
  plan.crop_top_left = parse_size(*done.crop_top_left, ',', "--crop-top-left");
  plan.target_size = parse_size(*done.target_size, 'x', "--target-size");
  plan.aesthetic_score = done.aesthetic_score;
  plan.negative_aesthetic_score = done.negative_aesthetic_score;
  plan.adapters = adapters(done.lora);
  plan.embeddings = embeddings_;
  check_plan(*models_, plan);
  notice_loras_without_effect(done.lora, plan);
  return plan;
}

void Engine::run(const std::vector<Plan>& plans, const RunHooks& hooks, const OnPicture& on_picture) {
  if (!models_->keeps_parts()) {
    set_threads(threads_a_picture_);
    return text_to_images(*models_, plans, {}, hooks, on_picture);
  }
  std::mutex mutex;  // on_picture and the first error
  std::exception_ptr first_error;
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  const auto work = [&] {
    set_threads(threads_a_picture_);  // OpenMP keeps the number of threads for each thread by itself
    for (size_t i = next++; i < plans.size() && !failed; i = next++) {
      try {
        ImageResult result = text_to_image(*models_, plans[i], hooks);
        const std::lock_guard lock(mutex);
        on_picture(i, std::move(result));
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failed.exchange(true)) first_error = std::current_exception();
      }
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < workers_; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  if (first_error) std::rethrow_exception(first_error);
}

}  // namespace negativa
