#include "train/training_course.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "base/sha256.h"
#include "core/memory.h"
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

// By content: another file of the same name must not find the first one's latents in the cache.
std::string sha256_of(const VaeFiles& vae, const Hashing& hashing) {
  std::string listing = vae.config_json;
  for (const auto& file : vae.files) listing += cached_sha256_file(file, hashing);
  return sha256_hex(listing);
}

// Pictures and texts of a training as the UNet sees them.
struct Encoded {
  EncodedDataset pictures;
  std::optional<EncodedDataset> class_pictures, validation;
};

// Encoders and VAE are loaded only for what no earlier run computed, one after the other, and freed before the UNet is loaded.
Encoded encode(const Training& training, bool flip, bool text_in_steps, const DataHooks& hooks,
               std::map<std::string, double>& timings_s) {
  Stopwatch watch;
  const Hashing hashing{hooks.cache, hooks.cancel};
  Models& models = *training.models;
  std::map<std::string, PromptEmbeds> embeds;
  if (!text_in_steps) {
    std::shared_ptr<const TextModels> text;
    const auto captions = captions_of(training);
    embeds = cached_prompt_embeds(
        captions, {text_sha256(training.files(), hashing), {}, training.compute, training.device},
        [&]() -> const TextModels& { return text ? *text : *(text = models.text(hooks.cancel)); }, hooks);
  }
  timings_s["texts"] = watch.lap();
  models.release();

  std::shared_ptr<const Vae> vae;
  const auto load_vae = [&]() -> const Vae& { return vae ? *vae : *(vae = models.vae(hooks.cancel)); };
  const std::string vae_hash =
      models.vae_files() ? sha256_of(*models.vae_files(), hashing) : vae_sha256(training.files(), hashing);
  const auto encoded = [&](const Dataset& dataset, bool mirrored) {
    return EncodedDataset{
        dataset.examples,
        cached_latents(
            {dataset.examples, mirrored, training.vae_config(), {vae_hash, {}, at::kFloat, training.device}, training.vae_tiling},
            load_vae, hooks),
        embeds};
  };
  Encoded result{encoded(training.pictures, flip), {}, {}};
  if (training.class_pictures) result.class_pictures = encoded(*training.class_pictures, flip);
  if (training.validation) result.validation = encoded(*training.validation, false);
  timings_s["latents"] = watch.lap();
  vae.reset();
  models.release();
  return result;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What libtorch says where it gets no memory, on the CPU and on a GPU.
bool is_out_of_memory(const std::string& text) {
  return text.find("t allocate memory") != std::string::npos || text.find("out of memory") != std::string::npos;
}

// The exception in flight as a line of ours; libraries append stack traces to theirs.
Error described_exception() {
  constexpr const char* no_memory =
      "[training] out of memory; try --gradient-checkpointing, --weights-dtype int8 or a smaller --resolution";
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return {ErrorKind::machine, no_memory};
  } catch (const std::exception& error) {
    return {ErrorKind::machine, is_out_of_memory(error.what()) ? no_memory : "[training] " + first_line(error.what())};
  } catch (...) {
    return {ErrorKind::machine, "[training] stopped by an unknown error"};
  }
}

// The steps of one training, with all they need in memory.
class Course {
 public:
  Course(const Training& training, const TrainOptions& options, const TrainingSubject& subject, RunFolder& run,
         const TrainHooks& hooks)
      : training_(training),
        options_(options),
        subject_(subject),
        run_(run),
        hooks_(hooks),
        schedule_(make_noise_schedule(training.scheduler())),
        scaling_(training.vae_config()),
        parameters_(subject.parameters),
        optimizer_(parameters_.flat()) {}

  TrainingResult run() {
    std::shared_ptr<void> held;
    if (!training_.models->is_small() && training_.host.while_loading) held = training_.host.while_loading();
    Stopwatch watch;
    TrainingResult result;
    begin(result);
    encoded_ = encode(training_, options_.data.flip, subject_.text_in_steps, hooks_.data, result.timings_s);
    watch.lap();
    make_rows();
    if (state_.step < steps() || is_to_look()) load();
    result.epochs = rows_->epoch(steps()) + 1;
    held.reset();
    result.timings_s["load"] = watch.lap();
    go_on();
    if (trace_) trace_->last_numbers(parameters_);
    for (const double seconds : step_seconds_) result.timings_s["steps"] += seconds;
    result.timings_s["step"] = median(step_seconds_);
    result.last_loss = state_.last_loss;
    result.trained = parameters_.trained();
    result.state = state_;
    return result;
  }

  const std::optional<Trace>& trace() const { return trace_; }

 private:
  int64_t steps() const { return options_.step.steps; }

  void begin(TrainingResult& result) {
    const bool traces = !options_.run.save_trace.empty();
    check(!traces || run_.steps_done() == 0, ErrorKind::input,
          "[--save-trace] needs a run from its first step, and this one goes on from step {}; try --resume never",
          run_.steps_done());
    if (const auto state = run_.resume(parameters_, optimizer_)) state_ = *state;
    saved_step_ = result.resumed_from = state_.step;
    if (!traces) return;
    trace_.emplace();
    trace_->first_numbers(parameters_);
  }

  void make_rows() {
    const auto& options = options_;
    rows_.emplace(encoded_.pictures, encoded_.class_pictures ? &*encoded_.class_pictures : nullptr, scaling_, schedule_,
                  RowOptions{options.step.seed, options.step.batch_size, options.step.gradient_accumulation, options.data.flip,
                             options.step.prior_weight, options.step.snr_gamma, options.step.noise_offset,
                             training_.parameter_dtype(), subject_.captions});
  }

  void load() {
    unet_ = training_.models->unet(hooks_.data.cancel);
    if (subject_.text_in_steps) text_ = training_.models->text(hooks_.data.cancel);
    runner_.emplace(TrainingModel{*unet_, text_.get(), schedule_, training_.compute, training_.device, training_.workers,
                                  options_.model.gradient_checkpointing},
                    parameters_);
    if (encoded_.validation) validation_rows_ = rows_->validation_rows(*encoded_.validation);
  }

  void go_on() {
    try {
      look();  // at the step that a run was stopped behind
      for (Stopwatch watch; state_.step < steps(); watch.lap()) {
        step();
        step_seconds_.push_back(watch.lap());
        after_step();
      }
    } catch (...) {
      const Error error = described_exception();
      const std::string saved = keep(error);
      fail(error.kind(), "{} ({})", error.what(), saved);
    }
  }

  // Saves what the last whole step left, and says what is there to go on from.
  std::string keep(const Error& error) {
    std::string not_saved;
    try {
      if (optimizer_.is_whole && saved_step_ != state_.step) save();
    } catch (...) {
      const std::string why = described_exception().what();
      not_saved = fmt::format("; {} more cannot be saved{}", state_.step - saved_step_, why == error.what() ? "" : ": " + why);
    }
    return fmt::format("{} of {} steps are saved{}{}", saved_step_, steps(),
                       trace_ ? "" : ", and the same command goes on from there", not_saved);
  }

  // A step that is stopped or fails leaves the numbers of the one before.
  void step() {
    const auto& options = options_.step;
    const int64_t number = state_.step + 1;
    const auto rows = rows_->rows(number);
    if (trace_) trace_->inputs(number, runner_->model(), rows, runner_->adapters());
    StepResult gradient = runner_->run(rows, hooks_.data.cancel);
    if (trace_ && number == 1) trace_->gradient(parameters_, gradient.gradient);
    if (trace_) trace_->loss(number, gradient.loss);
    const double norm = clip_gradient(gradient.gradient, options.max_grad_norm);
    const double factor = lr_factor(lr_scheduler_from_name(options.lr_scheduler), number, options.steps, options.lr_warmup);
    const auto groups = subject_.groups(factor);
    run_.add_loss(number, gradient.loss, options.learning_rate * factor, norm);  // dropped again where the numbers do not follow
    adamw_step(parameters_.flat(), gradient.gradient, optimizer_, groups, {});
    state_.step = number;
    state_.last_loss = gradient.loss;
    if (hooks_.on_step) hooks_.on_step({number, options.steps, gradient.loss, options.learning_rate * factor, norm});
  }

  void after_step() {
    if (state_.step == steps() || state_.step % options_.run.checkpoint_every == 0 || is_to_look()) save();
    look();
  }

  bool is_to_validate() const { return encoded_.validation && !run_.has_validation(state_.step); }
  bool is_to_preview() const {
    return hooks_.on_preview && !options_.run.validation_prompt.empty() && !run_.has_preview(state_.step);
  }
  bool is_to_look() const {
    const bool is_due = state_.step == steps() || state_.step % options_.run.validate_every == 0;
    return state_.step > 0 && is_due && (is_to_validate() || is_to_preview());
  }

  void look() {
    if (!is_to_look()) return;
    if (is_to_validate()) try_to("validation", [&] { validate(); });
    if (!is_to_preview()) return;
    trim_heap();  // of what the step's activations left: encoders and VAE come on top
    try_to("preview", [&] { hooks_.on_preview(state_.step, unet_, parameters_.trained()); });
    trim_heap();
  }

  // What only looks at a training does not end it.
  void try_to(const char* what, const std::function<void()>& look) {
    try {
      look();
    } catch (...) {
      const Error error = described_exception();
      if (error.kind() == ErrorKind::cancelled) throw;
      if (hooks_.data.on_notice)
        hooks_.data.on_notice(fmt::format("step {} has no {}, and the training goes on: {}", state_.step, what, error.what()));
    }
  }

  void validate() {
    const double loss = runner_->evaluate(validation_rows_, hooks_.data.cancel);
    if (state_.is_better(loss)) {
      subject_.write(run_.best_file(), parameters_.trained());
      state_.best_loss = loss;
      state_.best_step = state_.step;
    }
    run_.add_validation(state_.step, loss);
    if (hooks_.on_validation) hooks_.on_validation(state_.step, loss);
  }

  void save() {
    run_.save(state_, parameters_, optimizer_);
    saved_step_ = state_.step;
    if (hooks_.on_checkpoint) hooks_.on_checkpoint(saved_step_);
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
  std::shared_ptr<const TextModels> text_;
  std::optional<StepRunner> runner_;
  std::optional<RowSource> rows_;
  std::vector<TrainingRow> validation_rows_;
  std::optional<Trace> trace_;
  std::vector<double> step_seconds_;
};

}  // namespace

TrainingResult run_course(const Training& training, const TrainOptions& options, const TrainingSubject& subject, RunFolder& run,
                          const TrainHooks& hooks) {
  Course course(training, options, subject, run, hooks);
  TrainingResult result = course.run();
  if (course.trace()) course.trace()->write(options.run.save_trace, run.recipe_text());
  return result;
}

}  // namespace negativa
