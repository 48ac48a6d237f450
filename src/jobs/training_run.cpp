#include "jobs/training_run.h"

#include <chrono>

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/text.h"
#include "io/models_folder.h"
#include "jobs/records.h"
#include "jobs/train_pictures.h"

namespace negativa {

namespace {

// Where things lie, how long, and what is looked at on the way: none of it decides a byte of the trained file.
constexpr const char* not_in_recipe[] = {
    "model", "vae", "data",       "class_data",       "class_count",    "validation_data",   "skip_broken", "threads", "device",
    "dtype", "out", "save_trace", "checkpoint_every", "validate_every", "validation_prompt", "resume",      "force"};

RecipeInput data_input(const std::string& role, const Dataset& dataset) {
  return {role, fmt::format("{} pictures", dataset.examples.size()), dataset.sha256()};
}

std::map<std::string, int64_t> tag_frequency(const Dataset& dataset) {
  std::map<std::string, int64_t> counts;
  for (const auto& example : dataset.examples) ++counts[example.caption];
  return counts;
}

MemoryRequest with_previews(MemoryRequest request, const TrainOptions& options) {
  request.preview_bytes = preview_bytes(options);
  return request;
}

// Refuses rather than spills: a machine that swaps takes days for hours.
void check_memory(const TrainingRun& training) {
  const MemoryRequest request = with_previews(training.memory, training.options);
  const MemoryPlan memory = plan_memory(request);
  notice("predicted peak memory {:.2f} GiB (weights {:.2f}, activations {:.2f}), available {:.2f} GiB", gibibytes(memory.peak()),
         gibibytes(memory.weights), gibibytes(memory.activations), gibibytes(memory.available));
  if (memory.fits() || training.options.run.force) return;
  const auto advice = memory_advice(request);
  fail(ErrorKind::input, "[memory] the run needs about {:.1f} GiB and {:.1f} are available; try {}, or --force",
       gibibytes(memory.peak()), gibibytes(memory.available), advice.empty() ? "a smaller model" : joined(advice, " or "));
}

void add_progress(const TrainingRun& training, RunFolder& run, TrainHooks& hooks) {
  const auto progress = std::make_shared<Progress>("train", static_cast<int>(training.options.step.steps));
  hooks.on_step = [progress, counted = false](const StepReport& step) mutable {
    progress->tick(counted ? 1 : static_cast<int>(step.step));  // a resumed run starts where it stopped
    counted = true;
  };
  const auto& options = training.options;
  hooks.on_preview = [&run, &options, cancel = hooks.data.cancel](int64_t step, const std::shared_ptr<const UNet>& unet,
                                                                  const Trained& trained) {
    const Image8 image = draw_preview(options, unet, trained, *cancel);
    run.save_preview(
        step, image,
        {{"Title", options.run.validation_prompt}, {"Description", fmt::format("step {} of {}", step, options.step.steps)}});
  };
}

// Before there is a run folder.
void check_trace(const TrainRunOptions& options) {
  if (options.save_trace.empty()) return;
  check(options.save_trace.lexically_normal() != options.out.lexically_normal(), ErrorKind::input,
        "[--save-trace] got {}, which is the trained file; choose another name", options.save_trace.string());
  check_can_write(options.save_trace);
}

// A PeftModel's folder has no bytes of its own.
std::string trained_sha256(const Path& out) {
  return std::filesystem::is_directory(out) ? lora_input(out).sha256 : sha256_file(out);
}

void add_result(const TrainingResult& result, TrainReport& report) {
  report.resumed_from = result.resumed_from;
  report.last_loss = result.last_loss;
  report.best_step = result.state.best_step;
  report.step_seconds = result.timings_s.at("step");
  report.peak_memory_bytes = peak_memory_bytes();
}

}  // namespace

TrainHooks training_hooks(const CancelToken& cancel) {
  TrainHooks hooks;
  hooks.data.cancel = &cancel;
  hooks.data.on_notice = [](const std::string& text) { notice("{}", text); };
  hooks.on_validation = [](int64_t step, double loss) { notice("step {}: validation loss {:.5f}", step, loss); };
  return hooks;
}

Path model_path(const TrainOptions& options) {
  return options.model.model.empty() ? default_model() : find_model(options.model.model);
}

TrainReport run_training(const TrainingRun& training, TrainHooks hooks) {
  const auto begin = std::chrono::steady_clock::now();
  const auto& options = training.options;
  check_trace(options.run);
  const bool is_new = options.run.resume == "never" || !std::filesystem::exists(RunFolder::beside(options.run.out));
  if (is_new) check_memory(training);  // a run that is refused leaves no folder, which would refuse the advice that is given
  RunFolder run(options.run.out, training.recipe, options.run.resume == "never");
  TrainReport report;
  report.file = options.run.out;
  report.run_folder = run.path();
  report.steps = options.step.steps;
  if (run.is_finished()) {
    report.was_finished = true;
    report.sha256 = trained_sha256(options.run.out);
    return report;
  }
  if (!is_new) check_memory(training);
  run.save_config(training.config_toml);
  add_progress(training, run, hooks);
  const TrainingResult result = training.train(run, hooks);
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
  settings["weights_dtype"] = training.storage ? dtype_name(*training.storage) : "file";
  Recipe recipe;
  recipe.verb = verb;
  recipe.settings_json = canonical_json(settings);
  recipe.seed = options.step.seed;
  recipe.device = training.device.is_cuda() ? "cuda" : "cpu";
  recipe.dtype = dtype_name(training.compute);
  recipe.threads = training.threads;
  recipe.inputs.push_back(model_input("model", training.files, &cancel));
  if (!options.model.vae.empty()) recipe.inputs.push_back(vae_input(find_vae(options.model.vae), &cancel));
  recipe.inputs.push_back(data_input("data", training.pictures));
  if (training.class_pictures) recipe.inputs.push_back(data_input("class_data", *training.class_pictures));
  return recipe;
}

TrainingFacts training_facts(const Training& training, const TrainOptions& options, const Recipe& recipe, int64_t epochs) {
  TrainingFacts facts;
  facts.output_name = options.run.out.stem().string();
  facts.base_model = training.files.name;
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
  return facts;
}

TrainingForecast forecast_training(const MemoryRequest& given, const TrainOptions& options) {
  const MemoryRequest request = with_previews(given, options);
  const Training& training = request.training;
  const auto& step = options.step;
  const int64_t side = training.resolution_px / training.vae_config.factor();
  TrainingForecast forecast;
  forecast.model = training.files.name;
  forecast.pictures = static_cast<int64_t>(training.pictures.examples.size());
  forecast.class_pictures = training.class_pictures ? static_cast<int64_t>(training.class_pictures->examples.size()) : 0;
  forecast.resolution_px = training.resolution_px;
  forecast.rows_a_step = step.batch_size * step.gradient_accumulation * (training.class_pictures ? 2 : 1);
  forecast.dtype = dtype_name(training.compute);
  if (training.storage) forecast.weights_dtype = dtype_name(*training.storage);
  forecast.workers = training.workers;
  forecast.threads_a_worker = training.threads;
  forecast.memory = plan_memory(request);
  forecast.seconds = predicted_seconds({training.unet, side, forecast.rows_a_step * step.steps, training.workers,
                                        request.gradient_checkpointing, is_small_unet(training.unet)});
  forecast.would_help = memory_advice(request);
  return forecast;
}

}  // namespace negativa
