#include "engine/session.h"

#include <algorithm>
#include <chrono>

#include "base/file_names.h"
#include "base/names.h"
#include "base/text.h"
#include "core/memory.h"
#include "engine/bundled_words.h"
#include "io/image_tensor.h"
#include "io/prediction_marks.h"
#include "lora/effect.h"
#include "lora/notices.h"
#include "model/work.h"
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

// Whether another option's pair of files holds this one, so that giving both is giving the pair.
bool Session::is_of_a_pair(const std::filesystem::path& path) const {
  return std::any_of(options_.embedding.begin(), options_.embedding.end(), [&](const std::string& text) {
    const auto other = parse_embedding_spec(text).path;
    const auto paths = embedding_paths(other);
    return other != path && paths.size() > 1 && std::find(paths.begin(), paths.end(), path) != paths.end();
  });
}

void Session::load_embeddings() {
  for (const auto& text : options_.embedding) {
    const EmbeddingSpec spec = parse_embedding_spec(text);
    if (is_of_a_pair(spec.path)) {
      words_end_.push_back(embeddings_.size());
      continue;
    }
    const auto file = engine_.embedding(spec.path, spec.name, *models_, &caller_.cancel);
    const std::string name = last_name(spec.path);
    if (!file->notice.empty()) say(fmt::format("--embedding {} {}", name, file->notice));
    if (file->words.size() > 1) {
      std::vector<std::string> quoted;
      for (const auto& word : file->words) quoted.push_back("\"" + word.name + "\"");
      say(fmt::format("--embedding {} holds several words: {}", name, joined(quoted, ", ")));
    }
    for (Embedding word : file->words) {
      if (!word.also.empty()) settle_token(name, word);
      embeddings_.push_back(std::move(word));
    }
    words_end_.push_back(embeddings_.size());
  }
}

// A token that a file stores acts beside the file's own name, unless it would take a word of the vocabulary away.
void Session::settle_token(const std::string& file, Embedding& embedding) const {
  const auto is_free = [&](const char* part) {
    return !models_->files().has(part) || is_free_name(Tokenizer::load(models_->files().tokenizer_folder(part)), embedding.also);
  };
  if (is_free(names::tokenizer) && is_free(names::tokenizer_2)) {
    say(fmt::format("--embedding {}: write \"{}\", as the file says, or \"{}\"", file, embedding.also, embedding.name));
  } else {
    say(fmt::format("--embedding {}: write \"{}\"; what the file says, \"{}\", is a word already", file, embedding.name,
                    embedding.also));
    embedding.also.clear();
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
    auto bundled = bundled_words(*file, last_name(path), *models_, embeddings_);
    for (const auto& line : bundled.lines) say(line);
    words_[path] = std::move(bundled.words);
  }
  return file;
}

std::vector<Embedding> Session::embeddings_of(const std::vector<std::string>& specs) {
  std::vector<Embedding> all = embeddings_;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_lora_spec(text);
    if (spec.weight.is_zero()) continue;
    lora(spec.path);
    for (const auto& word : words_.at(spec.path)) {
      const bool is_there = std::any_of(all.begin(), all.end(), [&](const auto& known) { return known.name == word.name; });
      if (!is_there) all.push_back(word);
    }
  }
  return all;
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

namespace {
std::string tiling_line(const Models& models, const PictureOptions& asked) {
  const PictureOptions done = resolved_picture(models, asked);
  const int64_t tile = done.vae_tile.value_or(0);
  if (tile > 0 && !asked.vae_tile)
    return fmt::format("the VAE decodes in squares of {0} px, since {1}x{2} at once would not fit into memory (--vae-tile {0})",
                       tile, *done.width, *done.height);
  if (tile >= std::max(*done.width, *done.height))
    return fmt::format("--vae-tile {} has no effect: the picture is {}x{}", tile, *done.width, *done.height);
  return {};
}
// Latents are scaled as the UNet has learnt them, which its own VAE's config says.
std::string vae_line(const Models& models) {
  if (!models.vae_files()) return {};
  const auto& name = models.vae_files()->name;
  const VaeConfig& vae = models.vae_config();
  if (vae.tiny && ascii_lower(name).starts_with("taesd") && ascii_lower(name).find("xl") == std::string::npos)
    return fmt::format("{} is by its name the TAESD of Stable Diffusion 1, whose latents are others; SDXL's is called taesdxl",
                       name);
  const std::string tiny = fmt::format("{} is a TAESD: small and quick", name);
  if (!models.files().has(names::vae)) return vae.tiny ? tiny : "";
  const auto own = VaeConfig::from_json(models.files().config_json(names::vae), models.files().config_name(names::vae));
  const bool same_shift = vae.latents_mean == own.latents_mean && vae.latents_std == own.latents_std;
  if (vae.tiny && !own.tiny && !has_scale_of_sdxl(own))
    return fmt::format("{}; it is for SDXL's latents, which this model's are not (scaling factor {}): colours are wrong", tiny,
                       own.scaling_factor);
  if (vae.tiny) return tiny + ", its pictures are near those of the model's own VAE";
  if (own.tiny || (vae.scaling_factor == own.scaling_factor && same_shift)) return {};
  return fmt::format("{} scales latents by {}{} ({}), the model's own VAE by {}{}: where that is not meant, colours are wrong",
                     name, vae.scaling_factor, vae.latents_mean.empty() ? "" : " and shifts them",
                     models.vae_files()->config_name, own.scaling_factor, own.latents_mean.empty() ? "" : " and shifts them");
}
}  // namespace

std::vector<std::string> Session::notices(const PictureOptions& asked) const {
  std::vector<std::string> lines;
  const auto& scheduler = models_->facts().scheduler;
  const auto& files = models_->files();
  if (!asked.sampler && !scheduler.replacement.empty() && scheduler.sampler_refusal.empty())
    lines.push_back(scheduler.replacement);
  for (const auto& line : {tiling_line(*models_, asked), vae_line(*models_)})
    if (!line.empty()) lines.push_back(line);
  const std::string& name = files.unet ? files.unet->name : files.name;
  if (says_x0(name) && scheduler.prediction_type != PredictionType::sample)
    lines.push_back(
        fmt::format("{} says x0 in its name, as UNets do that predict the sample; draw it with --prediction-type sample", name));
  if (asked.chose_steps_or_cfg) return lines;
  const TensorFile* file = files.unet ? files.unet->file.get() : files.file.get();
  auto sign = sign_of_distilling(scheduler);
  if (sign)
    sign = "its scheduler: " + *sign;
  else
    sign = sign_of_distilling(name, file);
  if (sign)
    lines.push_back(
        fmt::format("{} looks distilled to few steps ({}): {} steps at cfg {} overdo it; try --steps {} --cfg-scale 1, or "
                    "what its makers say",
                    name, *sign, asked.steps, asked.cfg_scale, distilled_steps(name, file).value_or(8)));
  return lines;
}

namespace {

// Whether the maps of the whole picture leave too little memory for the rest of it.
bool decodes_beyond_memory(const Models& models, int64_t height_px, int64_t width_px) {
  const int64_t factor = models.vae_config().factor();
  const Work work = vae_decode_work(models.vae_config(), height_px / factor, width_px / factor);
  const DType compute = models.request().vae_compute.value_or(models.request().compute);
  return work.most_elements * dtype_bytes(compute) > available_bytes() - resident_bytes();
}

}  // namespace

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
  if (!done.vae_tile && decodes_beyond_memory(models, *done.height, *done.width)) done.vae_tile = usual_tile_px;
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
  plan.pooled_row = done.pooled_row == "end" ? PooledRow::end_token : PooledRow::diffusers;
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
  plan.vae_tiling = tiling_of(done.vae_tile.value_or(0), models.vae_config().factor());
  plan.aesthetic_score = done.aesthetic_score;
  plan.negative_aesthetic_score = done.negative_aesthetic_score;
  check_plan(models, plan);
  return plan;
}

PictureOptions Session::resolved(const PictureOptions& options) const { return resolved_picture(*models_, options); }

Plan Session::plan(const PictureOptions& options) {
  Plan plan = plan_picture(*models_, options);
  plan.adapters = adapters(options.lora, negative_row_of(options));
  plan.embeddings = embeddings_of(options.lora);
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
  hooks.preview_every = caller_.events.preview_every();
  if (hooks.preview_every > 0) hooks.preview_vae = engine_.preview_vae(*models_, [this](const std::string& text) { say(text); });
  hooks.on_preview = [&](size_t i, int64_t step, const Tensor& image) {
    caller_.events.on_preview({i, step, tensor_to_images(image).front()});
  };
  if (!models_->keeps_parts()) {
    engine_.workers().run({1, 1, threads_a_picture_}, caller_.cancel,
                          [&](size_t) { text_to_images(*models_, plans, {}, hooks, on_picture); });
  } else {
    std::mutex mutex;  // of on_picture
    engine_.workers().run({plans.size(), workers_, threads_a_picture_}, caller_.cancel, [&](size_t i) {
      RunHooks mine = hooks;
      mine.on_preview = [&](size_t, int64_t step, const Tensor& image) { hooks.on_preview(i, step, image); };
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
