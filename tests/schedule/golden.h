#pragma once
// tests/golden/schedule.json, made from diffusers by tools/goldens_schedule.py.
#include <nlohmann/json.hpp>

#include "schedule/sampler.h"

namespace negativa::test {

const nlohmann::json& golden();
// The config the goldens were made with, changed by `options`.
SchedulerConfig golden_config(const nlohmann::json& options = nlohmann::json::object(), const std::string& sampler = "dpmpp_2m");
NoiseSchedule sdxl_schedule();
GridRules rules_of(const std::string& sampler);
Tensor tensor_of(const nlohmann::json& numbers, const Shape& shape);
// "euler leading 50", for failure messages.
std::string label_of(const nlohmann::json& row);

}  // namespace negativa::test
