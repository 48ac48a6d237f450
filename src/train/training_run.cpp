#include "train/training_run.h"

#include <chrono>

#include "base/files.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/text.h"
#include "core/isa.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

// Where things lie, how long, and what is looked at on the way: none of it decides a byte of the trained file.
constexpr const char* not_in_recipe[] = {
    "model",  "vae",    "data",           "class_data", "class_count", "validation_data",  "skip_broken",    "threads",
    "isa",    "device", "dtype",          "out",        "save_trace",  "checkpoint_every", "validate_every", "validation_prompt",
    "resume", "force",  "network_weights"};

RecipeInput data_input(const std::string& role, const Dataset& dataset) {
  return {role, fmt::format("{} pictures", dataset.examples.size()), dataset.sha256()};
}

std::map<std::string, int64_t> tag_frequency(const Dataset& dataset) {
  std::map<std::string, int64_t> counts;
  for (const auto& example : dataset.examples) ++counts[example.caption];
  return counts;
}

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / double(1 << 30); }

// Refuses rather than spills: a machine that swaps takes days for hours.
void check_memory(const TrainingRun& training, EventSink& events) {
  const MemoryPlan memory = plan_memory(training.memory);
  events.on_notice(fmt::format("predicted peak memory {:.2f} GiB (weights {:.2f}, activations {:.2f}), available {:.2f} GiB",
                               gibibytes(memory.peak()), gibibytes(memory.weights), gibibytes(memory.activations),
                               gibibytes(memory.available)));
  if (memory.fits() || training.options.run.force) return;
  const auto advice = memory_advice(training.memory);
  fail(ErrorKind::input, "[memory] the run needs about {:.1f} GiB and {:.1f} are available; try {}, or --force",
       gibibytes(memory.peak()), gibibytes(memory.available), advice.empty() ? "a smaller model" : joined(advice, " or "));
}

TrainHooks hooks_of(const TrainingRun& training, RunFolder& run, const Caller& caller) {
  TrainHooks hooks;
  hooks.data = data_hooks(caller, training.host);
  auto& events = caller.events;
  const auto progress = std::make_shared<Stage>(events, "train", training.options.step.steps);
  hooks.on_step = [progress, &events, counted = false](const StepReport& step) mutable {
    events.on_loss({step.step, step.steps, step.loss, step.learning_rate, step.gradient_norm});
    progress->tick(counted ? 1 : step.step);  // a resumed run starts where it stopped
    counted = true;
  };
  hooks.on_validation = [&events](int64_t step, double loss) { events.on_validation({step, loss}); };
  hooks.on_checkpoint = [&events](int64_t step) { events.on_checkpoint({step}); };
  hooks.on_preview = [&run, &training, &events](int64_t step, const std::shared_ptr<const UNet>& unet, const Trained& trained) {
    const Image8 image = training.extras.draw_preview(unet, trained);
    const auto& options = training.options;
    run.save_preview(
        step, image,
        {{"Title", options.run.validation_prompt}, {"Description", fmt::format("step {} of {}", step, options.step.steps)}});
    events.on_preview({0, step, image});
  };
  return hooks;
}

// Before there is a run folder.
void check_trace(const TrainRunOptions& options) {
  if (options.save_trace.empty()) return;
  check(options.save_trace.lexically_normal() != options.out.lexically_normal(), ErrorKind::input,
        "[--save-trace] got {}, which is the trained file; choose another name", options.save_trace.string());
  check_can_write(options.save_trace);
}

// A PeftModel's folder has no bytes of its own.
std::string trained_sha256(const std::filesystem::path& out) {
  return std::filesystem::is_directory(out) ? lora_input(out, {}).sha256 : sha256_file(out);
}

void add_result(const TrainingResult& result, TrainReport& report) {
  report.resumed_from = result.resumed_from;
  report.last_loss = result.last_loss;
  report.best_step = result.state.best_step;
  report.step_seconds = result.timings_s.at("step");
  report.peak_memory_bytes = peak_memory_bytes();
}

}  // namespace

DataHooks data_hooks(const Caller& caller, const TrainingHost& host) {
  DataHooks hooks;
  hooks.cancel = &caller.cancel;
  hooks.on_notice = [&events = caller.events](const std::string& text) { events.on_notice(text); };
  hooks.cache = host.places.cache;
  return hooks;
}

TrainReport run_training(const TrainingRun& training, const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  const auto& options = training.options;
  check(options.run.validation_prompt.empty() || training.extras.draw_preview, ErrorKind::input,
        "[--validation-prompt] got \"{}\", but nothing draws previews here; leave it out", options.run.validation_prompt);
  check_trace(options.run);
  const bool is_new = options.run.resume == "never" || !std::filesystem::exists(RunFolder::beside(options.run.out));
  if (is_new)
    check_memory(training, caller.events);  // a run that is refused leaves no folder, which would refuse the advice that is given
  RunFolder run(options.run.out, training.recipe, options.run.resume == "never");
  if (!run.why_not_locked().empty())
    caller.events.on_notice(fmt::format("[{}] cannot be locked on this file system ({}): see that no other process trains there",
                                        run.path().string(), run.why_not_locked()));
  TrainReport report;
  report.file = options.run.out;
  report.run_folder = run.path();
  report.steps = options.step.steps;
  if (run.is_finished()) {
    report.was_finished = true;
    report.sha256 = trained_sha256(options.run.out);
    return report;
  }
  if (!is_new) check_memory(training, caller.events);
  run.save_config(training.extras.config_toml);
  const TrainingResult result = training.train(run, hooks_of(training, run, caller));
  training.write(result);
  add_result(result, report);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  report.sha256 = trained_sha256(options.run.out);
  run.finish({training.recipe, result.timings_s, {{"loss", result.last_loss}}, report.peak_memory_bytes, processor_name(), ""});
  return report;
}

Recipe training_recipe(const std::string& verb, const Training& training, const TrainOptions& options,
                       const std::string& settings_json, const CancelToken& cancel) {
  Json settings = parse_json(settings_json, verb);
  for (const char* key : not_in_recipe) settings.erase(key);
  settings["resolution"] = training.resolution_px;
  settings.erase("vae_tile");
  if (training.is_tiled()) settings["vae_tile"] = training.vae_tiling.side * training.vae_config().factor();
  settings["weights_dtype"] = training.storage ? dtype_name(*training.storage) : "file";
  Recipe recipe;
  recipe.verb = verb;
  recipe.settings_json = canonical_json(settings);
  recipe.seed = options.step.seed;
  recipe.device = training.device.is_cuda() ? "cuda" : "cpu";
  recipe.dtype = dtype_name(training.compute);
  recipe.threads = training.threads;
  recipe.isa = isa_name(active_isa());
  const Hashing hashing{training.host.places.cache, &cancel};
  recipe.inputs.push_back(model_input("model", training.files(), hashing));
  if (training.models->vae_files()) recipe.inputs.push_back(vae_input(*training.models->vae_files(), hashing));
  recipe.inputs.push_back(data_input("data", training.pictures));
  if (training.class_pictures) recipe.inputs.push_back(data_input("class_data", *training.class_pictures));
  return recipe;
}

TrainingFacts training_facts(const Training& training, const TrainOptions& options, const Recipe& recipe, int64_t epochs) {
  TrainingFacts facts;
  facts.output_name = options.run.out.stem().string();
  facts.base_model = training.files().name;
  facts.base_model_sha256 = recipe.inputs.front().sha256;
  facts.learning_rate = options.step.learning_rate;
  facts.lr_scheduler = options.step.lr_scheduler;
  facts.lr_warmup_steps = options.step.lr_warmup;
  facts.optimizer = fmt::format("AdamW(weight_decay={})", options.step.weight_decay);
  facts.max_grad_norm = options.step.max_grad_norm;
  facts.steps = facts.max_train_steps = options.step.steps;
  facts.epochs = epochs;
  facts.batch_size = options.step.batch_size;
  facts.gradient_accumulation = options.step.gradient_accumulation;
  facts.batches_per_epoch = (static_cast<int64_t>(training.pictures.examples.size()) + facts.batch_size - 1) / facts.batch_size;
  facts.height_px = facts.width_px = training.resolution_px;
  facts.train_images = static_cast<int64_t>(training.pictures.examples.size());
  facts.class_images = training.class_pictures ? static_cast<int64_t>(training.class_pictures->examples.size()) : 0;
  facts.seed = options.step.seed;
  facts.prior_weight = options.step.prior_weight;
  facts.snr_gamma = options.step.snr_gamma;
  facts.noise_offset = options.step.noise_offset;
  facts.mixed_precision = training.compute == at::kBFloat16 ? "bf16" : "no";
  facts.gradient_checkpointing = options.model.gradient_checkpointing;
  facts.flip = options.data.flip;
  facts.tag_frequency = tag_frequency(training.pictures);
  facts.recipe_json = recipe.to_text();
  facts.date_s = training.host.places.build_date_s;
  return facts;
}

}  // namespace negativa
