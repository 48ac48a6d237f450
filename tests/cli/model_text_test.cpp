#include "model_text.h"

#include "program.h"

namespace negativa::cli {

TEST(ModelText, SaysWhatTheModelPredictsAndWhatIsWorthKnowing) {
  ModelReport report;
  report.prediction = "v_prediction";
  report.prediction_source = report.zero_snr_source = "scheduler_config.json";
  report.zero_snr = true;
  report.remarks = {"LCMScheduler is not built"};
  const auto text = text_of(report);
  EXPECT_TRUE(contains(text,
                       "predicts v_prediction (scheduler_config.json)\nzero terminal SNR (scheduler_config.json)\n"
                       "LCMScheduler is not built\n"))
      << text;
  report.files = {{"small.safetensors", std::string(64, '7')}, {"large.safetensors", ""}};
  EXPECT_TRUE(contains(text_of(report), "not known yet; --hashes reads the whole file" + std::string(22, ' ') + "large."));
  const Json json = parse_json(json_of(report), "report");
  EXPECT_EQ(json["sha256"]["large.safetensors"], nullptr);
  EXPECT_EQ(json["remarks"], Json::array({"LCMScheduler is not built"}));
  EXPECT_EQ(json["prediction"]["type"], "v_prediction");
  EXPECT_EQ(json["prediction"]["zero_snr"], true);
}

TEST(ModelText, SaysOfWhichDtypeHowManyTensorsAre) {
  ModelReport report;
  report.name = "m";
  report.layout = "single file";
  report.scheduler = "euler, leading";
  report.parts = {{"vae", 3, 3 << 20, 8 << 20, {{"fp16", 1}, {"fp32", 2}}, "factor 8"},
                  {"unet", 1, 1 << 20, 2 << 20, {{"fp16", 1}}, "channels 320"}};
  const auto text = text_of(report);
  EXPECT_TRUE(
      text.starts_with("m: single file, euler, leading\n\n"
                       "part             tensors     parameters        MiB  stored as\n"
                       "vae                    3        3145728        8.0  1 fp16, 2 fp32\n"
                       "                 factor 8\n"
                       "unet                   1        1048576        2.0  fp16\n"
                       "                 channels 320\n"))
      << text;
}

}  // namespace negativa::cli
