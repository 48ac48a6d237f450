#include "forecast_text.h"

#include "base/json.h"

namespace negativa::cli {

namespace {

std::string lines_of(const Json& forecast) {
  std::string text;
  for (const auto& [key, value] : forecast.items()) {
    const std::string shown = value.is_string()         ? value.get<std::string>()
                              : value.is_number_float() ? fmt::format("{:.2f}", value.get<double>())
                                                        : value.dump();
    text += fmt::format("{:<18} {}\n", key, shown);
  }
  return text;
}

std::string document_of(const Json& forecast) { return forecast.dump(2) + "\n"; }

Json pictures_fields(const PicturesForecast& forecast) {
  const Prediction& predicted = forecast.predicted;
  return {{"model", forecast.model},
          {"pictures", forecast.pictures},
          {"width", forecast.width_px},
          {"height", forecast.height_px},
          {"steps_total", forecast.steps_total},
          {"device", forecast.device},
          {"dtype", forecast.dtype},
          {"weights_dtype", forecast.weights_dtype},
          {"workers", forecast.workers},
          {"threads_a_picture", forecast.threads_a_picture},
          {"weights_gib", gibibytes(predicted.weights_bytes)},
          {"activations_gib", gibibytes(predicted.activations_bytes)},
          {"peak_gib", gibibytes(predicted.peak_bytes())},
          {"available_gib", gibibytes(predicted.available_bytes)},
          {"fits", predicted.fits()},
          {"tflop", predicted.flop / 1e12},
          {"gflop_s", predicted.rate / 1e9},
          {"efficiency", predicted.efficiency},
          {"seconds", predicted.seconds()}};
}

Json json_fields(const GenerateForecast& forecast) {
  Json json = pictures_fields(forecast);
  json["first_file"] = forecast.first_file.string();
  return json;
}

Json json_fields(const CompareForecast& forecast) {
  Json json = pictures_fields(forecast);
  json.update({{"file", forecast.file.string()}, {"arms", forecast.arms}, {"rows", forecast.rows}});
  return json;
}

Json json_fields(const TrainingForecast& forecast) {
  const MemoryPlan& memory = forecast.memory;
  Json json = {{"model", forecast.model},
               {"pictures", forecast.pictures},
               {"class_pictures", forecast.class_pictures},
               {"resolution", forecast.resolution_px},
               {"rows_a_step", forecast.rows_a_step},
               {"dtype", forecast.dtype},
               {"weights_dtype", forecast.weights_dtype.value_or("as in the file")},
               {"workers", forecast.workers},
               {"threads_a_worker", forecast.threads_a_worker},
               {"weights_gib", gibibytes(memory.weights)},
               {"adapters_gib", gibibytes(memory.adapters)},
               {"activations_gib", gibibytes(memory.activations)},
               {"previews_gib", gibibytes(memory.previews)},
               {"peak_gib", gibibytes(memory.peak())},
               {"available_gib", gibibytes(memory.available)},
               {"fits", memory.fits()},
               {"seconds", forecast.seconds},
               {"would_help", forecast.would_help}};
  if (forecast.adapted_layers) json["adapted_layers"] = *forecast.adapted_layers;
  if (forecast.vectors) json["vectors"] = *forecast.vectors;
  return json;
}

}  // namespace

std::string text_of(const GenerateForecast& forecast) { return lines_of(json_fields(forecast)); }
std::string json_of(const GenerateForecast& forecast) { return document_of(json_fields(forecast)); }
std::string text_of(const CompareForecast& forecast) { return lines_of(json_fields(forecast)); }
std::string json_of(const CompareForecast& forecast) { return document_of(json_fields(forecast)); }
std::string text_of(const TrainingForecast& forecast) { return lines_of(json_fields(forecast)); }
std::string json_of(const TrainingForecast& forecast) { return document_of(json_fields(forecast)); }

}  // namespace negativa::cli
