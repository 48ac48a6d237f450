#include "jobs/forecast.h"

namespace negativa {

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / double(1 << 30); }

PicturesForecast forecast_pictures(const Engine& engine, const std::vector<Plan>& plans) {
  PicturesForecast forecast;
  forecast.predicted = predict(engine.models(), plans, engine.workers());
  forecast.model = engine.models().files().name;
  forecast.device = engine.device_name();
  forecast.dtype = dtype_name(engine.models().request().compute);
  forecast.weights_dtype = engine.weights_dtype();
  forecast.pictures = static_cast<int64_t>(plans.size());
  forecast.width_px = plans.front().width_px;
  forecast.height_px = plans.front().height_px;
  for (const auto& picture : plans) forecast.steps_total += denoising_steps(engine.models(), picture);
  forecast.workers = engine.workers();
  forecast.threads_a_picture = engine.threads_a_picture();
  return forecast;
}

double predicted_seconds(const TrainingWork& work) {
  // With frozen weights a step costs 2.12 forward passes, and 3.12 where blocks run once more for their gradient: counted for
  // SDXL at 1024x1024, batch 1.
  const double passes = work.gradient_checkpointing ? 3.12 : 2.12;
  const double flop =
      unet_work(work.unet, {1, work.latent_side, work.latent_side}).flop * passes * static_cast<double>(work.rows);
  return flop / (matrix_product_rate() * static_cast<double>(work.workers) * efficiency_of(work.is_small));
}

}  // namespace negativa
