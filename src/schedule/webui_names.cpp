#include "schedule/webui_names.h"

#include <algorithm>

#include "base/text.h"
#include "schedule/names.h"

namespace negativa {

namespace {

std::string scheduler_name(std::string label) {
  std::replace(label.begin(), label.end(), ' ', '_');
  return ascii_lower(label);
}

bool is_called(const WebuiName& named, const std::string& lower) {
  return ascii_lower(named.shown) == lower || std::find(named.aliases.begin(), named.aliases.end(), lower) != named.aliases.end();
}

std::optional<std::string> own_name(const std::vector<WebuiName>& all, const std::string& lower) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const WebuiName& named) { return is_called(named, lower); });
  return found == all.end() ? std::nullopt : std::optional(found->own);
}

}  // namespace

std::vector<WebuiName> webui_samplers() {
  std::vector<WebuiName> all;
  for (const auto& own : sampler_names()) {
    WebuiName named{own, webui_sampler_name(own), {own, "k_" + own}};
    if (own == "euler_ancestral") named.aliases.push_back("k_euler_a");
    all.push_back(std::move(named));
  }
  return all;
}

std::vector<WebuiName> webui_schedulers() {
  std::vector<WebuiName> all;
  for (const auto& own : grid_names()) {
    WebuiName named{own, webui_grid_name(own), {own, scheduler_name(webui_grid_name(own))}};
    if (own == "karras") named.aliases.push_back("ka");  // "k_dpmpp_2m_ka"
    all.push_back(std::move(named));
  }
  return all;
}

std::optional<SamplerChoice> sampler_choice(const std::string& name) {
  const std::string lower = ascii_lower(name);
  const auto samplers = webui_samplers(), grids = webui_schedulers();
  if (const auto own = own_name(samplers, lower)) return SamplerChoice{own, {}};
  // "dpm++ 2m karras" -> dpmpp_2m, karras.
  for (size_t at = lower.size(); (at = lower.find_last_of(" _", at == 0 ? 0 : at - 1)) != std::string::npos && at > 0;) {
    const auto sampler = own_name(samplers, lower.substr(0, at)), grid = own_name(grids, lower.substr(at + 1));
    if (sampler && grid) return SamplerChoice{sampler, grid};
  }
  return {};
}

std::optional<std::string> schedule_choice(const std::string& name) { return own_name(webui_schedulers(), ascii_lower(name)); }

std::optional<std::string> comfy_schedule(const std::string& name) {
  if (name == "normal") return "linspace";
  if (name == "simple" || name == "sgm_uniform") return "trailing";
  if (name == "ddim_uniform") return "leading";
  if (name == "karras" || name == "exponential") return name;
  return {};
}

std::string webui_default_schedule(const std::string& sampler, bool says_automatic) {
  return says_automatic && sampler == "dpmpp_2m" ? "karras" : "linspace";
}

}  // namespace negativa
