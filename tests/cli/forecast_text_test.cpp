#include "forecast_text.h"

#include "program.h"

namespace negativa::cli {

namespace {

void fill(PicturesForecast& forecast) {
  forecast.model = "m";
  forecast.device = "cpu";
  forecast.dtype = forecast.weights_dtype = "fp32";
  forecast.pictures = 2;
  forecast.width_px = 64;
  forecast.height_px = 32;
  forecast.steps_total = 100;
  forecast.predicted.weights_bytes = int64_t{3} << 29;
  forecast.predicted.available_bytes = int64_t{1} << 30;
  forecast.predicted.flop = 2e12;
  forecast.predicted.rate = 1e12;
  forecast.predicted.efficiency = 0.5;
}

}  // namespace

TEST(ForecastText, IsALineAValueInTheOrderOfTheirNames) {
  GenerateForecast forecast;
  fill(forecast);
  forecast.first_file = "a.png";
  EXPECT_EQ(text_of(forecast),
            "activations_gib    0.00\n"
            "available_gib      1.00\n"
            "device             cpu\n"
            "dtype              fp32\n"
            "efficiency         0.50\n"
            "first_file         a.png\n"
            "fits               false\n"
            "gflop_s            1000.00\n"
            "height             32\n"
            "model              m\n"
            "peak_gib           1.50\n"
            "pictures           2\n"
            "seconds            4.00\n"
            "steps_total        100\n"
            "tflop              2.00\n"
            "threads_a_picture  1\n"
            "weights_dtype      fp32\n"
            "weights_gib        1.50\n"
            "width              64\n"
            "workers            1\n");
}

TEST(ForecastText, JsonHasTheSameKeys) {
  CompareForecast forecast;
  fill(forecast);
  forecast.file = "sheet.png";
  forecast.arms = {"nothing", "wrong"};
  forecast.rows = 1;
  const Json json = parse_json(json_of(forecast), "forecast");
  std::string lines;
  for (const auto& [key, value] : json.items()) lines += key + "\n";
  std::string names;
  for (const auto& line : test::lines_of(text_of(forecast))) names += line.substr(0, line.find(' ')) + "\n";
  EXPECT_EQ(lines, names);
  EXPECT_EQ(json["arms"], Json({"nothing", "wrong"}));
  EXPECT_EQ(json["file"], "sheet.png");
  EXPECT_EQ(json["rows"], 1);
  EXPECT_EQ(json["peak_gib"], 1.5);
}

TEST(ForecastText, SaysOfATrainingWhatItTrains) {
  TrainingForecast lora, embedding;
  lora.adapted_layers = 140;
  embedding.vectors = 4;
  embedding.weights_dtype = "bf16";
  embedding.would_help = {"--batch-size 1"};
  EXPECT_TRUE(text_of(lora).starts_with("activations_gib    0.00\nadapted_layers     140\n")) << text_of(lora);
  EXPECT_TRUE(contains(text_of(lora), "\nweights_dtype      as in the file\n")) << text_of(lora);
  EXPECT_TRUE(contains(text_of(lora), "\nwould_help         []\n")) << text_of(lora);
  EXPECT_TRUE(contains(text_of(embedding), "\nvectors            4\nweights_dtype      bf16\n")) << text_of(embedding);
  const Json json = parse_json(json_of(embedding), "forecast");
  EXPECT_FALSE(json.contains("adapted_layers"));
  EXPECT_EQ(json["would_help"], Json::array({"--batch-size 1"}));
}

}  // namespace negativa::cli
