#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/file_names.h"
#include "base/names.h"
#include "io/image_tensor.h"
#include "io/prediction_marks.h"
#include "lora/effect.h"
#include "lora/notices.h"
#include "pipeline/stages.h"

namespace negativa {

namespace {

PictureReads reads_of(const Models& models, const PictureOptions& options, const Plan& plan) {
  const auto course = make_course(models, plan);
  const auto row = negative_row_of(options);
  PictureReads reads{.negative = row != NegativeRow::none &&
                                 runs_row(base_guidance(plan), row == NegativeRow::own ? negative_row : reference_row,
                                          course.split.base, course.grid.steps()),
                     .negative_text = plan.negative_prompt.has_value() || !models.facts().zero_negative,
                     .base = course.split.base.size() > 0};
  if (row == NegativeRow::none) reads.why_no_negative = "which --negative-scale 0 leaves out";
  if (row == NegativeRow::own)
    reads.why_no_negative = "which is not drawn in any step of the base; try a longer --negative-interval";
  return reads;
}

bool acts_on_negative(const std::string& lora) {
  const LoraSpec spec = parse_lora_spec(lora);
  return spec.weight != 0 && spec.branch != LoraBranch::positive;
}

// When steps ended, as several workers tell it.
class StepClock {
 public:
  void tick() {
    const std::lock_guard lock(mutex_);
    ends_.push_back(std::chrono::steady_clock::now());
  }
  std::optional<double> median_s() const {
    if (ends_.size() < 2) return {};
    std::vector<double> seconds;
    for (size_t i = 1; i < ends_.size(); ++i) seconds.push_back(std::chrono::duration<double>(ends_[i] - ends_[i - 1]).count());
    const auto middle = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
  }

 private:
  std::mutex mutex_;
  std::vector<std::chrono::steady_clock::time_point> ends_;
};

}  // namespace

Session::Session(Engine& engine, const ModelOptions& options, const Caller& caller, size_t pictures,
                 std::optional<bool> keep_parts)
    : engine_(engine), options_(options), caller_(caller) {
  ModelRequest request = model_request(options, engine.places());
  request.keep_parts = keep_parts;
  models_ = engine.open(std::move(request));
  weights_dtype_ = models_->weights_dtype();
  load_embeddings();
  const int cores = options.threads > 0 ? options.threads : hardware_threads();
  const bool side_by_side = models_->is_small() && models_->request().device.is_cpu();
  if (!side_by_side)
    threads_a_picture_ = cores;
  else if (models_->keeps_parts())
    workers_ = static_cast<int>(std::min<size_t>(static_cast<size_t>(cores), std::max<size_t>(pictures, 1)));
}

// A token that a file stores acts beside the file's own name, unless it would take a word of the vocabulary away.
void Session::load_embeddings() {
  for (const auto& text : options_.embedding) {
    const EmbeddingSpec spec = parse_embedding_spec(text);
    Embedding& embedding = embeddings_.emplace_back(*engine_.embedding(spec.path, spec.name, *models_, &caller_.cancel));
    if (embedding.also.empty()) continue;
    const auto is_free = [&](const char* part) {
      return !models_->files().has(part) ||
             is_free_name(Tokenizer::load(models_->files().tokenizer_folder(part)), embedding.also);
    };
    const std::string file = spec.path.filename().string();
    if (is_free(names::tokenizer) && is_free(names::tokenizer_2)) {
      say(fmt::format("--embedding {}: write \"{}\", as the file says, or \"{}\"", file, embedding.also, embedding.name));
    } else {
      say(fmt::format("--embedding {}: write \"{}\"; what the file says, \"{}\", is a word already", file, embedding.name,
                      embedding.also));
      embedding.also.clear();
    }
  }
}

NegativeRow negative_row_of(const PictureOptions& options) {
  if (!options.negative_scale) return NegativeRow::reference;
  const bool says_something = options.negative_prompt || !options.negative_prompt_2.value_or("").empty() ||
                              std::any_of(options.lora.begin(), options.lora.end(), acts_on_negative);
  return *options.negative_scale != 0 && says_something ? NegativeRow::own : NegativeRow::none;
}

std::shared_ptr<const PictureAdapters> picture_adapters(const std::vector<ActiveLora>& active, NegativeRow negative) {
  auto made = std::make_shared<PictureAdapters>();
  made->unet = unet_adapters(active, negative);
  const char* components[] = {"text_encoder", "text_encoder_2"};
  for (int i = 0; i < 2; ++i) {
    if (negative != NegativeRow::none) made->negative_text[i] = text_adapters(active, components[i], LoraBranch::negative);
    made->positive_text[i] = text_adapters(active, components[i], LoraBranch::positive);
  }
  return made;
}

std::shared_ptr<const LoraFile> Session::lora(const std::filesystem::path& path) {
  auto& file = loras_[path];
  if (!file) {
    file = engine_.lora(path, *models_, options_.allow_unmatched, &caller_.cancel);
    for (const auto& line : lines_of_skipped(*file, last_name(path))) say(line);
  }
  return file;
}

void Session::notice_loras_without_effect(const PictureOptions& options, const Plan& plan) {
  if (options.lora.empty()) return;
  const PictureReads reads = reads_of(*models_, options, plan);
  for (const auto& text : options.lora) {
    const LoraSpec spec = parse_lora_spec(text);
    const auto why = why_without_effect({lora(spec.path), spec.weight, spec.branch}, reads);
    if (!why.empty()) say(fmt::format("{} has no effect: {}", last_name(spec.path), why));
  }
}

std::shared_ptr<const PictureAdapters> Session::adapters(const std::vector<std::string>& specs, NegativeRow negative) {
  std::string key = fmt::format("{}\n", static_cast<int>(negative));
  for (const auto& spec : specs) key += spec + '\n';
  auto& result = adapters_[key];
  if (result) return result;
  std::vector<ActiveLora> active;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    active.push_back({lora(spec.path), spec.weight, spec.branch});
  }
  return result = picture_adapters(active, negative);
}

std::vector<std::string> Session::notices(const PictureOptions& asked) const {
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

PictureOptions resolved_picture(const Models& models, const PictureOptions& options) {
  PictureOptions done = options;
  const int64_t side = models.facts().unet.sample_size * models.vae_config().factor();
  if (!done.width) done.width = side;
  if (!done.height) done.height = side;
  if (!done.sampler) done.sampler = default_sampler(models.facts().scheduler);
  if (!done.schedule) done.schedule = default_grid(models.facts().scheduler);
  if (!done.refiner_cfg_scale) done.refiner_cfg_scale = done.cfg_scale;
  const std::string size = fmt::format("{}x{}", *done.height, *done.width);
  if (!done.original_size) done.original_size = size;
  if (!done.crop_top_left) done.crop_top_left = "0,0";
  if (!done.target_size) done.target_size = size;
  return done;
}

namespace {
void set_negative_row(const PictureOptions& done, Plan& plan) {
  plan.negative_interval = parse_interval(done.negative_interval, "--negative-interval");
  const auto row = negative_row_of(done);
  if (row == NegativeRow::own) plan.negative_scale = done.negative_scale;
  if (row != NegativeRow::none) return;
  plan.negative_prompt.reset();
  plan.negative_prompt_2.reset();
}
}  // namespace

Plan plan_picture(const Models& models, const PictureOptions& options) {
  const PictureOptions done = resolved_picture(models, options);
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
  set_negative_row(done, plan);
  plan.sampler = *done.sampler;
  plan.grid = *done.schedule;
  if (models.refiner_facts() && done.refiner_start < 1) plan.refiner_start = done.refiner_start;
  plan.original_size = parse_size(*done.original_size, 'x', "--original-size");
  plan.crop_top_left = parse_size(*done.crop_top_left, ',', "--crop-top-left");
  plan.target_size = parse_size(*done.target_size, 'x', "--target-size");
  plan.aesthetic_score = done.aesthetic_score;
  plan.negative_aesthetic_score = done.negative_aesthetic_score;
  check_plan(models, plan);
  return plan;
}

PictureOptions Session::resolved(const PictureOptions& options) const { return resolved_picture(*models_, options); }

Plan Session::plan(const PictureOptions& options) {
  Plan plan = plan_picture(*models_, options);
  plan.adapters = adapters(options.lora, negative_row_of(options));
  plan.embeddings = embeddings_;
  notice_loras_without_effect(options, plan);
  return plan;
}

DrawingTimes Session::draw(const std::vector<Plan>& plans, const std::string& stage, const OnPicture& on_picture) {
  int64_t steps = 0;
  for (const auto& plan : plans) steps += denoising_steps(*models_, plan);
  Stage progress(caller_.events, stage, steps);
  StepClock clock;
  RunHooks hooks;
  hooks.cancel = &caller_.cancel;
  hooks.on_notice = [this](const std::string& text) { say(text); };
  hooks.on_step = [&] {
    progress.tick();
    clock.tick();
  };
  if (!models_->keeps_parts()) {
    engine_.workers().run({1, 1, threads_a_picture_}, caller_.cancel,
                          [&](size_t) { text_to_images(*models_, plans, {}, hooks, on_picture); });
  } else {
    std::mutex mutex;  // of on_picture
    engine_.workers().run({plans.size(), workers_, threads_a_picture_}, caller_.cancel, [&](size_t i) {
      RunHooks mine = hooks;
      mine.preview_every = caller_.events.preview_every();
      mine.on_preview = [&](int64_t step, const Tensor& image) {
        caller_.events.on_preview({i, step, tensor_to_images(image).front()});
      };
      ImageResult result = text_to_image(*models_, plans[i], mine);
      const std::lock_guard lock(mutex);
      on_picture(i, std::move(result));
    });
  }
  return {workers_ == 1 ? clock.median_s() : std::nullopt};
}

void say_notices(const Session& session, const std::vector<PictureOptions>& asked) {
  for (const auto& picture : asked)
    for (const auto& line : session.notices(picture)) session.caller().events.on_notice(line);
}

}  // namespace negativa
