#pragma once
// What AUTOMATIC1111's webui, its API's clients and ComfyUI call samplers and schedules. Whatever the case.
#include <optional>
#include <string>
#include <vector>

namespace negativa {

struct WebuiName {
  std::string own, shown;            // "euler_ancestral", "Euler a"
  std::vector<std::string> aliases;  // in lower case
};
std::vector<WebuiName> webui_samplers();
std::vector<WebuiName> webui_schedulers();

struct SamplerChoice {
  std::optional<std::string> sampler, schedule;  // of `generate`; absent: not said
};
// "DPM++ 2M Karras", "Euler a", "k_euler", "dpmpp_2m". Absent: there is none of that name.
std::optional<SamplerChoice> sampler_choice(const std::string& name);

// "Karras", "sgm_uniform". Absent: there is none of that name, or it means no certain one ("Automatic").
std::optional<std::string> schedule_choice(const std::string& name);

// Of ComfyUI's schedulers: normal, simple, sgm_uniform, ddim_uniform, karras, exponential.
std::optional<std::string> comfy_schedule(const std::string& name);

// What a picture of the webui that names this sampler without a schedule, or with "Automatic", was drawn on: Karras for DPM++ 2M
// since version 1.9, which writes "Schedule type", else the uniform one (modules/sd_samplers_kdiffusion.py).
std::string webui_default_schedule(const std::string& sampler, bool says_automatic);

}  // namespace negativa
