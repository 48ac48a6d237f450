#include "jobs/forecast.h"

#include "core/own_thread.h"

namespace negativa {

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / double(1 << 30); }

PicturesForecast forecast_pictures(const Session& session, const std::vector<Plan>& plans) {
  PicturesForecast forecast;
  forecast.predicted =
      on_own_thread(session.threads_a_picture(), [&] { return predict(session.models(), plans, session.workers()); });
  forecast.model = session.models().files().name;
  forecast.device = session.device_name();
  forecast.dtype = dtype_name(session.models().request().compute);
  forecast.weights_dtype = session.weights_dtype();
  forecast.pictures = static_cast<int64_t>(plans.size());
  forecast.width_px = plans.front().width_px;
  forecast.height_px = plans.front().height_px;
  for (const auto& picture : plans) forecast.steps_total += denoising_steps(session.models(), picture);
  forecast.workers = session.workers();
  forecast.threads_a_picture = session.threads_a_picture();
  return forecast;
}

PicturesForecast one_after_another(const std::vector<PicturesForecast>& runs) {
  PicturesForecast all = runs.front();
  double seconds = 0;
  all.pictures = all.steps_total = 0;
  all.predicted.flop = 0;
  for (const auto& run : runs) {
    all.pictures += run.pictures;
    all.steps_total += run.steps_total;
    all.predicted.flop += run.predicted.flop;
    seconds += run.predicted.seconds();
    if (run.predicted.peak_bytes() <= all.predicted.peak_bytes()) continue;
    all.predicted.weights_bytes = run.predicted.weights_bytes;
    all.predicted.activations_bytes = run.predicted.activations_bytes;
  }
  if (seconds > 0) all.predicted.rate = all.predicted.flop / (seconds * all.predicted.efficiency);  // so that seconds() is theirs
  return all;
}

TrainingForecast forecast_training(const MemoryRequest& request, const TrainOptions& options) {
  const Training& training = request.training;
  const auto& step = options.step;
  const int64_t side = training.resolution_px / training.vae_config().factor();
  TrainingForecast forecast;
  forecast.model = training.files().name;
  forecast.pictures = static_cast<int64_t>(training.pictures.examples.size());
  forecast.class_pictures = training.class_pictures ? static_cast<int64_t>(training.class_pictures->examples.size()) : 0;
  forecast.resolution_px = training.resolution_px;
  forecast.rows_a_step = step.batch_size * step.gradient_accumulation * (training.class_pictures ? 2 : 1);
  forecast.dtype = dtype_name(training.compute);
  if (training.storage) forecast.weights_dtype = dtype_name(*training.storage);
  forecast.workers = training.workers;
  forecast.threads_a_worker = training.threads;
  forecast.memory = plan_memory(request);
  forecast.seconds = training_seconds({training.unet(), side, forecast.rows_a_step * step.steps, training.workers,
                                       request.gradient_checkpointing, training.models->is_small()},
                                      matrix_product_rate());
  forecast.would_help = memory_advice(request);
  return forecast;
}

}  // namespace negativa
