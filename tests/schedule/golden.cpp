#include "schedule/golden.h"

#include <fstream>

namespace negativa::test {

const nlohmann::json& golden() {
  static const auto read = nlohmann::json::parse(std::ifstream(NEGATIVA_SOURCE_DIR "/tests/golden/schedule.json"));
  return read;
}

SchedulerConfig golden_config(const nlohmann::json& options, const std::string& sampler) {
  auto config = golden().at("config");
  config.update(options);
  // With the class named, the keys that only it has are read too.
  const std::map<std::string, const char*> classes = {{"euler", "EulerDiscreteScheduler"},
                                                      {"euler_ancestral", "EulerAncestralDiscreteScheduler"},
                                                      {"dpmpp_2m", "DPMSolverMultistepScheduler"},
                                                      {"heun", "HeunDiscreteScheduler"}};
  config["_class_name"] = classes.at(sampler);
  return scheduler_config_from_json(config.dump(), "golden");
}

NoiseSchedule sdxl_schedule() { return make_noise_schedule(golden_config()); }

GridRules rules_of(const std::string& sampler) { return make_sampler(sampler, SchedulerConfig{})->grid_rules(); }

Tensor tensor_of(const nlohmann::json& numbers, const Shape& shape) {
  return at::tensor(numbers.get<std::vector<float>>(), at::kFloat).reshape(shape);
}

std::string label_of(const nlohmann::json& row) {
  return row.at("sampler").get<std::string>() + " " + row.at("grid").get<std::string>() + " " +
         std::to_string(row.at("steps").get<int>()) + (row.contains("options") ? " " + row.at("options").dump() : "");
}

}  // namespace negativa::test
