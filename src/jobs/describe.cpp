#include "jobs/describe.h"

#include "base/json.h"

namespace negativa {

double gibibytes(int64_t bytes) { return static_cast<double>(bytes) / double(1 << 30); }

std::string described(const Json& plan, bool as_json) {
  if (as_json) return plan.dump(2) + "\n";
  std::string text;
  for (const auto& [key, value] : plan.items()) {
    const std::string shown = value.is_string()         ? value.get<std::string>()
                              : value.is_number_float() ? fmt::format("{:.2f}", value.get<double>())
                                                        : value.dump();
    text += fmt::format("{:<18} {}\n", key, shown);
  }
  return text;
}

std::string describe_pictures(const Engine& engine, const std::vector<Plan>& plans, Json plan, bool as_json) {
  const Prediction predicted = predict(engine.models(), plans, engine.workers());
  int64_t steps = 0;
  for (const auto& picture : plans) steps += denoising_steps(engine.models(), picture);
  plan.update({{"model", engine.models().files().name},
               {"pictures", plans.size()},
               {"width", plans.front().width_px},
               {"height", plans.front().height_px},
               {"steps_total", steps},
               {"device", engine.device_name()},
               {"dtype", dtype_name(engine.models().request().compute)},
               {"weights_dtype", engine.weights_dtype()},
               {"workers", engine.workers()},
               {"threads_a_picture", engine.threads_a_picture()},
               {"weights_gib", gibibytes(predicted.weights_bytes)},
               {"activations_gib", gibibytes(predicted.activations_bytes)},
               {"peak_gib", gibibytes(predicted.peak_bytes())},
               {"available_gib", gibibytes(predicted.available_bytes)},
               {"fits", predicted.fits()},
               {"tflop", predicted.flop / 1e12},
               {"gflop_s", predicted.rate / 1e9},
               {"efficiency", predicted.efficiency},
               {"seconds", predicted.seconds()}});
  return described(plan, as_json);
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
