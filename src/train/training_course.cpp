#include "train/training_course.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/sha256.h"
#include "core/memory.h"
#include "text/text_models.h"
#include "train/trace.h"

namespace negativa {

namespace {

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

nn::LoadOptions load_options(const Training& training, const std::optional<DType>& storage, bool pack_small, const CancelToken* cancel) {
  nn::LoadOptions options;
  options.storage = storage;
  options.device = training.device;
  options.pack_small = pack_small;
  options.cancel = cancel;
  return options;
}

std::vector<std::string> captions_of(const Training& training) {
  std::vector<std::string> captions;
  const auto add = [&](const Dataset& dataset) {
    for (const auto& example : dataset.examples) captions.push_back(example.caption);
  };
  add(training.pictures);
  if (training.class_pictures) add(*training.class_pictures);
  if (training.validation) add(*training.validation);
  return captions;
}

TextModels load_text(const Training& training, const CancelToken* cancel) {
  return load_text_models(training.files, [&](const std::string&, const Weights& weights) { return load_options(training, storage_or_default({}, weights, training.compute), true, cancel); });
}

// By content: another file of the same name must not find the first one's latents in the cache.
std::string sha256_of(const VaeFiles& vae) {
  std::string listing = vae.config_json;
  for (const auto& file : vae.files) listing += cached_sha256_file(file);
  return sha256_hex(listing);
}

// Pictures and texts of a training as the UNet sees them.
struct Encoded {
  EncodedDataset pictures;
  std::optional<EncodedDataset> class_pictures, validation;
};

// Encoders and VAE are loaded only for what no earlier run computed, one after the other, and freed before the UNet is loaded.
Encoded encode(const Training& training, bool flip, bool text_in_steps, const DataHooks& hooks, std::map<std::string, double>& timings_s) {
  Stopwatch watch;
  std::map<std::string, PromptEmbeds> embeds;
  if (!text_in_steps) {
    std::optional<TextModels> text;
    const auto captions = captions_of(training);
    embeds = cached_prompt_embeds(captions, {text_sha256(training.files), {}, training.compute, training.device},
                                  [&]() -> const TextModels& { return text ? *text : text.emplace(load_text(training, hooks.cancel)); }, hooks);
  }
  timings_s["texts"] = watch.lap();
  trim_heap();

  std::unique_ptr<Vae> vae;
  const auto load_vae = [&]() -> const Vae& {
    if (!vae) {
      vae = std::make_unique<Vae>(training.vae_config);
      const auto weights = training.vae ? training.vae->weights : training.files.weights("vae");
      vae->load(weights, load_options(training, storage_or_default({}, weights, at::kFloat), true, hooks.cancel));
    }
    return *vae;
  };
  const std::string vae_hash = training.vae ? sha256_of(*training.vae) : vae_sha256(training.files);
  const auto encoded = [&](const Dataset& dataset, bool mirrored) {
    return EncodedDataset{dataset.examples, cached_latents({dataset.examples, mirrored, training.vae_config, {vae_hash, {}, at::kFloat, training.device}}, load_vae, hooks), embeds};
  };
  Encoded result{encoded(training.pictures, flip), {}, {}};
  if (training.class_pictures) result.class_pictures = encoded(*training.class_pictures, flip);
  if (training.validation) result.validation = encoded(*training.validation, false);
  timings_s["latents"] = watch.lap();
  vae.reset();
  trim_heap();
  return result;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// The steps of one training, with all they need in memory.
class Course {
 public:
  Course(const Training& training, const TrainOptions& options, const TrainingSubject& subject, RunFolder& run, const TrainHooks& hooks)
      : training_(training),
        options_(options),
        subject_(subject),
        run_(run),
        hooks_(hooks),
        schedule_(make_noise_schedule(training.scheduler)),
        scaling_(training.vae_config),
        parameters_(subject.parameters),
        optimizer_(parameters_.flat()) {}

  TrainingResult run() {
    std::optional<LargeBlocks> blocks;  // as in Models::get
    if (!is_small_unet(training_.unet)) blocks.emplace();
    Stopwatch watch;
    TrainingResult result;
    begin(result);
    encoded_ = encode(training_, options_.data.flip, subject_.text_in_steps, hooks_.data, result.timings_s);
    watch.lap();
    make_rows();
    if (state_.step < steps()) load();
    result.epochs = rows_->epoch(steps()) + 1;
    blocks.reset();
    result.timings_s["load"] = watch.lap();
    while (state_.step < steps()) {
      step(result);
      step_seconds_.push_back(watch.lap());
      after_step();
      watch.lap();
    }
    if (saved_step_ != state_.step) save();
    if (trace_) trace_->last_numbers(parameters_);
    for (const double seconds : step_seconds_) result.timings_s["steps"] += seconds;
    result.timings_s["step"] = median(step_seconds_);
    result.trained = parameters_.trained();
    result.state = state_;
    return result;
  }

  const std::optional<Trace>& trace() const { return trace_; }

 private:
  int64_t steps() const { return options_.step.steps; }

  void begin(TrainingResult& result) {
    if (const auto state = run_.resume(parameters_, optimizer_)) state_ = *state;
    saved_step_ = result.resumed_from = state_.step;
    if (options_.run.save_trace.empty()) return;
    check(state_.step == 0, ErrorKind::input, "[--save-trace] needs a run from its first step, and this one goes on from step {}; try --resume never", state_.step);
    trace_.emplace();
    trace_->first_numbers(parameters_);
  }

  void make_rows() {
    const auto& options = options_;
    rows_.emplace(encoded_.pictures, encoded_.class_pictures ? &*encoded_.class_pictures : nullptr, scaling_, schedule_,
                  RowOptions{options.step.seed, options.step.batch_size, options.step.gradient_accumulation, options.data.flip, options.step.prior_weight,
                             options.step.snr_gamma, options.step.noise_offset, training_.parameter_dtype(), subject_.captions});
  }

  void load() {
    auto unet = std::make_shared<UNet>(training_.unet);
    unet->load(training_.files.weights("unet"), load_options(training_, training_.storage, is_small_unet(training_.unet), hooks_.data.cancel));
    unet_ = unet;
    if (subject_.text_in_steps) text_ = load_text(training_, hooks_.data.cancel);
    runner_.emplace(TrainingModel{*unet_, text_ ? &*text_ : nullptr, schedule_, training_.compute, training_.device, training_.workers, options_.model.gradient_checkpointing},
                    parameters_);
    if (encoded_.validation) validation_rows_ = rows_->validation_rows(*encoded_.validation);
  }

  // A step that is stopped or fails leaves the numbers of the one before.
  void step(TrainingResult& result) {
    const auto& options = options_.step;
    const int64_t number = state_.step + 1;
    const auto rows = rows_->rows(number);
    if (trace_) trace_->inputs(number, runner_->model(), rows, runner_->adapters());
    StepResult gradient = [&] {
      try {
        return runner_->run(rows, hooks_.data.cancel);
      } catch (const Error& error) {
        if (saved_step_ != state_.step) save();
        if (error.kind() == ErrorKind::machine) fail(error.kind(), "{} (step {}; the {} steps before it are saved)", error.what(), number, state_.step);
        throw;
      }
    }();
    if (trace_ && number == 1) trace_->gradient(parameters_, gradient.gradient);
    if (trace_) trace_->loss(number, gradient.loss);
    const double norm = clip_gradient(gradient.gradient, options.max_grad_norm);
    const double factor = lr_factor(lr_scheduler_from_name(options.lr_scheduler), number, options.steps, options.lr_warmup);
    adamw_step(parameters_.flat(), gradient.gradient, optimizer_, subject_.groups(factor), {});
    state_.step = number;
    result.last_loss = gradient.loss;
    run_.add_loss(number, gradient.loss, options.learning_rate * factor, norm);
    if (hooks_.on_step) hooks_.on_step({number, options.steps, gradient.loss, options.learning_rate * factor, norm});
  }

  void after_step() {
    const auto& options = options_.run;
    const bool last = state_.step == steps();
    if (last || state_.step % options.validate_every == 0) {
      validate();
      if (hooks_.on_preview && !options.validation_prompt.empty()) hooks_.on_preview(state_.step, unet_, parameters_.trained());
    }
    if (last || state_.step % options.checkpoint_every == 0) save();
  }

  void validate() {
    if (validation_rows_.empty()) return;
    const double loss = runner_->evaluate(validation_rows_, nullptr);
    run_.add_validation(state_.step, loss);
    if (hooks_.on_validation) hooks_.on_validation(state_.step, loss);
    if (state_.best_loss && loss >= *state_.best_loss) return;
    state_.best_loss = loss;
    state_.best_step = state_.step;
    subject_.write(run_.best_file(), parameters_.trained());
  }

  void save() {
    run_.save(state_, parameters_, optimizer_);
    saved_step_ = state_.step;
  }

  const Training& training_;
  const TrainOptions& options_;
  const TrainingSubject& subject_;
  RunFolder& run_;
  const TrainHooks& hooks_;
  const NoiseSchedule schedule_;
  const Vae scaling_;  // without weights: for its scaling factor
  TrainedParameters& parameters_;
  AdamWState optimizer_;
  TrainingState state_;
  int64_t saved_step_ = 0;
  Encoded encoded_;
  std::shared_ptr<const UNet> unet_;
  std::optional<TextModels> text_;
  std::optional<StepRunner> runner_;
  std::optional<RowSource> rows_;
  std::vector<TrainingRow> validation_rows_;
  std::optional<Trace> trace_;
  std::vector<double> step_seconds_;
};

}  // namespace

TrainingResult run_course(const Training& training, const TrainOptions& options, const TrainingSubject& subject, RunFolder& run, const TrainHooks& hooks) {
  Course course(training, options, subject, run, hooks);
  TrainingResult result = course.run();
  if (course.trace()) course.trace()->write(options.run.save_trace, run.recipe_text());
  return result;
}

}  // namespace negativa
