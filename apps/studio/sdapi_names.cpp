#include "sdapi_names.h"

#include <algorithm>
#include <cctype>

#include "base/json.h"
#include "base/text.h"
#include "io/file_kind.h"
#include "lora/lora_tags.h"

namespace negativa::studio {

namespace {

// "did you mean" whatever the case.
std::string nearest_of(const std::string& name, const std::vector<std::string>& shown) {
  std::vector<std::string> lower;
  for (const auto& each : shown) lower.push_back(ascii_lower(each));
  const auto nearest = nearest_name(ascii_lower(name), lower);
  if (!nearest) return "";
  return "; did you mean " + shown[static_cast<size_t>(std::find(lower.begin(), lower.end(), *nearest) - lower.begin())] + "?";
}

[[noreturn]] void fail_unknown(const char* field, const std::string& given, const std::vector<WebuiName>& all) {
  std::vector<std::string> shown;
  for (const auto& named : all) shown.push_back(named.shown);
  fail(ErrorKind::input, "[{} in request] got {}, expected one of {}{}", field, json_excerpt(given), joined(shown, ", "),
       nearest_of(given, shown));
}

std::string lora_of_tag(const std::string& tag, const std::vector<SdItem>& loras) {
  const std::string where = "prompt in request";
  const auto is_name = [&](const std::string& name) {
    return std::any_of(loras.begin(), loras.end(), [&](const SdItem& item) { return item.name == name; });
  };
  const LoraOfTag read = read_lora_tag(tag, is_name, where);
  return sd_item(loras, read.name, {"LoRA", where}).file.reference + ":" + read.weight.text_of();
}

bool is_word_character(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || (c & 0x80); }

}  // namespace

std::vector<SdItem> sd_items(const Inventory& inventory, const std::string& kind) {
  std::vector<SdItem> items;
  for (auto& file : inventory.of_kind(kind)) {
    const bool taken = std::any_of(items.begin(), items.end(), [&](const SdItem& item) { return item.name == file.name; });
    const std::string name = taken ? file.reference : file.name;
    items.push_back({name, std::move(file)});
  }
  return items;
}

const SdItem& sd_item(const std::vector<SdItem>& items, const std::string& given, const Sought& sought) {
  std::vector<std::string> tried = {given};
  if (const auto hash = given.rfind(" ["); hash != std::string::npos && given.ends_with(']'))
    tried.push_back(given.substr(0, hash));
  if (has_weights_name(tried.back())) tried.push_back(tried.back().substr(0, tried.back().rfind('.')));
  for (const auto& name : tried)
    for (const auto& item : items) {
      if (item.name != name && item.file.reference != name) continue;
      check(item.file.fault.empty(), ErrorKind::input, "[{}] {} cannot be used: {}", sought.where, json_excerpt(name),
            item.file.fault);
      return item;
    }
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  fail(ErrorKind::input, "[{}] there is no {} {} here{}", sought.where, sought.noun, json_excerpt(given),
       nearest_of(given, names));
}

SamplerChoice sd_sampler(const std::string& sampler, const std::string& scheduler) {
  const auto named = sampler.empty() ? SamplerChoice() : sampler_choice(sampler);
  if (!named) fail_unknown("sampler_name", sampler, webui_samplers());
  SamplerChoice chosen = *named;
  const std::string lower = ascii_lower(scheduler);
  if (lower.empty() || lower == "automatic") return chosen;
  const auto grid = schedule_choice(scheduler);
  if (!grid) fail_unknown("scheduler", scheduler, webui_schedulers());
  check(!chosen.schedule || *chosen.schedule == *grid, ErrorKind::input,
        "[scheduler in request] got {} beside the sampler {}, expected one schedule", json_excerpt(scheduler),
        json_excerpt(sampler));
  chosen.schedule = grid;
  return chosen;
}

Json sd_sampler_list() {
  Json list = Json::array();
  for (const auto& named : webui_samplers())
    list.push_back({{"name", named.shown}, {"aliases", named.aliases}, {"options", Json::object()}});
  return list;
}

Json sd_scheduler_list() {
  Json list = Json::array({{{"name", "automatic"},
                            {"label", "Automatic"},
                            {"aliases", Json()},
                            {"default_rho", Json()},
                            {"need_inner_model", false}}});
  for (const auto& named : webui_schedulers())
    list.push_back({{"name", named.aliases[1]},
                    {"label", named.shown},
                    {"aliases", Json::array({named.own})},
                    {"default_rho", Json()},
                    {"need_inner_model", false}});
  return list;
}

std::vector<std::string> take_lora_tags(std::string& prompt, const std::vector<SdItem>& loras, const std::string& branch) {
  std::vector<std::string> taken;
  for (const auto& tag : negativa::take_lora_tags(prompt)) taken.push_back(lora_of_tag(tag, loras) + branch);
  return taken;
}

std::vector<SdItem> named_in(const std::string& text, const std::vector<SdItem>& items) {
  const std::string lower = ascii_lower(text);
  std::vector<SdItem> found;
  for (const auto& item : items) {
    const std::string name = ascii_lower(item.name);
    for (size_t at = 0; (at = lower.find(name, at)) != std::string::npos; ++at) {
      const bool begins = at == 0 || !is_word_character(lower[at - 1]);
      const size_t end = at + name.size();
      if (!begins || (end < lower.size() && is_word_character(lower[end]))) continue;
      found.push_back(item);
      break;
    }
  }
  return found;
}

}  // namespace negativa::studio
