#include "sdapi_names.h"

#include <algorithm>
#include <cctype>

#include "base/json.h"
#include "base/text.h"
#include "lora/lora_spec.h"
#include "schedule/names.h"

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

struct Named {
  std::string own, shown;            // "euler_ancestral", "Euler a"
  std::vector<std::string> aliases;  // in lower case
};

std::vector<Named> samplers() {
  std::vector<Named> all;
  for (const auto& own : sampler_names()) {
    Named named{own, webui_sampler_name(own), {own, "k_" + own}};
    if (own == "euler_ancestral") named.aliases.push_back("k_euler_a");
    all.push_back(std::move(named));
  }
  return all;
}

std::string scheduler_name(std::string label) {
  std::replace(label.begin(), label.end(), ' ', '_');
  return ascii_lower(label);
}

std::vector<Named> schedulers() {
  std::vector<Named> all;
  for (const auto& own : grid_names()) {
    Named named{own, webui_grid_name(own), {own, scheduler_name(webui_grid_name(own))}};
    if (own == "karras") named.aliases.push_back("ka");  // "k_dpmpp_2m_ka"
    all.push_back(std::move(named));
  }
  return all;
}

bool is_called(const Named& named, const std::string& lower) {
  return ascii_lower(named.shown) == lower || std::find(named.aliases.begin(), named.aliases.end(), lower) != named.aliases.end();
}

const Named* find(const std::vector<Named>& all, const std::string& lower) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const Named& named) { return is_called(named, lower); });
  return found == all.end() ? nullptr : &*found;
}

[[noreturn]] void fail_unknown(const char* field, const std::string& given, const std::vector<Named>& all) {
  std::vector<std::string> shown;
  for (const auto& named : all) shown.push_back(named.shown);
  fail(ErrorKind::input, "[{} in request] got {}, expected one of {}{}", field, json_excerpt(given), joined(shown, ", "),
       nearest_of(given, shown));
}

// "dpm++ 2m karras" -> dpmpp_2m, karras. Absent: no sampler with a schedule behind it.
std::optional<SdSampler> with_schedule(const std::string& lower) {
  for (size_t at = lower.size(); (at = lower.find_last_of(" _", at == 0 ? 0 : at - 1)) != std::string::npos && at > 0;) {
    const auto all = samplers(), grids = schedulers();
    const Named* sampler = find(all, lower.substr(0, at));
    const Named* grid = find(grids, lower.substr(at + 1));
    if (sampler && grid) return SdSampler{sampler->own, grid->own};
  }
  return {};
}

SdSampler split_sampler(const std::string& given) {
  if (given.empty()) return {};
  const std::string lower = ascii_lower(given);
  const auto all = samplers();
  if (const Named* named = find(all, lower)) return {named->own, {}};
  const auto both = with_schedule(lower);
  if (!both) fail_unknown("sampler_name", given, all);
  return *both;
}

double weight_from(const std::string& text, const std::string& tag) {
  const auto weight = number_from(text);
  check(weight.has_value(), ErrorKind::input, "[prompt in request] {} has the weight {}, expected a number as <lora:NAME:0.8>",
        json_excerpt(tag), json_excerpt(text));
  return *weight;
}

// "0.8", "0.5:1", "te=0.5:unet=1" behind a LoRA's name.
PartWeights weights_from(const std::vector<std::string>& parts, const std::string& tag) {
  std::vector<double> numbers;
  std::optional<double> text, unet;
  for (const auto& part : parts) {
    const auto equals = part.find('=');
    const std::string key = equals == std::string::npos ? "" : part.substr(0, equals);
    if (key == "te")
      text = weight_from(part.substr(3), tag);
    else if (key == "unet")
      unet = weight_from(part.substr(5), tag);
    else
      numbers.push_back(weight_from(part, tag));
  }
  check(numbers.size() <= 2, ErrorKind::input,
        "[prompt in request] {} has {} weights, expected one, or that of the text encoders and that of the UNet",
        json_excerpt(tag), numbers.size());
  PartWeights weights;
  weights.text = text.value_or(numbers.empty() ? 1 : numbers[0]);
  weights.unet = unet.value_or(numbers.size() > 1 ? numbers[1] : weights.text);
  return weights;
}

std::string lora_of_tag(const std::string& tag, const std::vector<SdItem>& loras) {
  const auto parts = split(std::string_view(tag).substr(6, tag.size() - 7), ':');  // between "<lora:" and ">"
  size_t named = 1;  // parts that are the name: one that is there as a whole wins, as names may have a colon
  for (size_t count = parts.size(); count > 1; --count) {
    const std::string name = joined(std::span(parts).first(count), ":");
    if (std::any_of(loras.begin(), loras.end(), [&](const SdItem& item) { return item.name == name; })) {
      named = count;
      break;
    }
  }
  const SdItem& lora = sd_item(loras, joined(std::span(parts).first(named), ":"), {"LoRA", "prompt in request"});
  const PartWeights weights = weights_from({parts.begin() + static_cast<std::ptrdiff_t>(named), parts.end()}, tag);
  return lora.file.reference + ":" + weights.text_of();
}

std::string trimmed(const std::string& text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
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
  constexpr std::string_view ending = ".safetensors";
  if (tried.back().ends_with(ending)) tried.push_back(tried.back().substr(0, tried.back().size() - ending.size()));
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

SdSampler sd_sampler(const std::string& sampler, const std::string& scheduler) {
  SdSampler chosen = split_sampler(sampler);
  const std::string lower = ascii_lower(scheduler);
  if (lower.empty() || lower == "automatic") return chosen;
  const auto all = schedulers();
  const Named* grid = find(all, lower);
  if (!grid) fail_unknown("scheduler", scheduler, all);
  check(!chosen.schedule || *chosen.schedule == grid->own, ErrorKind::input,
        "[scheduler in request] got {} beside the sampler {}, expected one schedule", json_excerpt(scheduler),
        json_excerpt(sampler));
  chosen.schedule = grid->own;
  return chosen;
}

Json sd_sampler_list() {
  Json list = Json::array();
  for (const auto& named : samplers())
    list.push_back({{"name", named.shown}, {"aliases", named.aliases}, {"options", Json::object()}});
  return list;
}

Json sd_scheduler_list() {
  Json list = Json::array({{{"name", "automatic"},
                            {"label", "Automatic"},
                            {"aliases", Json()},
                            {"default_rho", Json()},
                            {"need_inner_model", false}}});
  for (const auto& named : schedulers())
    list.push_back({{"name", scheduler_name(named.shown)},
                    {"label", named.shown},
                    {"aliases", Json::array({named.own})},
                    {"default_rho", Json()},
                    {"need_inner_model", false}});
  return list;
}

std::vector<std::string> take_lora_tags(std::string& prompt, const std::vector<SdItem>& loras, const std::string& branch) {
  std::vector<std::string> taken;
  std::string rest;
  size_t at = 0;
  while (true) {
    const auto begin = std::min(prompt.find("<lora:", at), prompt.find("<lyco:", at));
    const auto end = begin == std::string::npos ? begin : prompt.find('>', begin + 6);
    if (end == std::string::npos) break;
    taken.push_back(lora_of_tag(prompt.substr(begin, end + 1 - begin), loras) + branch);
    rest += prompt.substr(at, begin - at);
    at = end + 1;
  }
  if (!taken.empty()) prompt = trimmed(rest + prompt.substr(at));
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
