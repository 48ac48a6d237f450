#include "lora/adapter_config.h"

#include <cmath>

#include "base/config_reader.h"

namespace negativa {

namespace {

// peft's pattern keys are regular expressions; in practice a module's name or its end, with "^" for "the whole name" and "\." for
// ".". Returns the name, with "^" kept; absent: it is more than a name.
std::optional<std::string> pattern_name(const std::string& pattern) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.') continue;
    const bool plain =
        std::string_view("\\$*+?()[]{}|^").find(pattern[i]) == std::string_view::npos || (i == 0 && pattern[i] == '^');
    if (!plain) return {};
    name += pattern[i];
  }
  return name;
}

bool matches(const std::string& pattern, const std::string& module) {
  if (pattern.starts_with('^')) return module == pattern.substr(1);
  return module == pattern || module.ends_with("." + pattern);
}

}  // namespace

std::optional<AdapterConfig> AdapterConfig::from(const ConfigReader& fields, const std::string& prefix) {
  const bool has_alpha = fields.json().contains(prefix + "lora_alpha");
  AdapterConfig config;
  config.use_dora_ = fields.get(prefix + "use_dora", false);
  if (!has_alpha && !config.use_dora_) return {};
  if (has_alpha) config.lora_alpha_ = fields.need<double>(prefix + "lora_alpha");
  config.use_rslora_ = fields.get(prefix + "use_rslora", false);
  const auto patterns = fields.object(prefix + "alpha_pattern");
  for (const auto& [pattern, alpha] : patterns.json().items()) {
    const auto name = pattern_name(pattern);
    patterns.check(name.has_value(), pattern, "a plain module name for its key, not a regular expression");
    config.alpha_pattern_[*name] = patterns.need<double>(pattern);
  }
  return config;
}

double AdapterConfig::alpha(const std::string& module, int64_t rank) const {
  double alpha = lora_alpha_.value_or(static_cast<double>(rank));
  for (const auto& [pattern, value] : alpha_pattern_)
    if (matches(pattern, module)) {
      alpha = value;
      break;
    }
  return use_rslora_ ? alpha * std::sqrt(static_cast<double>(rank)) : alpha;
}

AdapterConfigs::AdapterConfigs(const std::string& metadata_json, const std::filesystem::path& peft_config,
                               const std::string& where) {
  if (!metadata_json.empty()) {
    const ConfigReader fields(metadata_json, where + ", lora_adapter_metadata");
    for (const char* component : {"unet", "text_encoder", "text_encoder_2"})
      if (auto config = AdapterConfig::from(fields, std::string(component) + ".")) by_component_.emplace(component, *config);
    common_ = AdapterConfig::from(fields, "");
  } else if (!peft_config.empty()) {
    const auto fields =
        ConfigReader::of(read_json_file(peft_config), (peft_config.parent_path().filename() / peft_config.filename()).string());
    const auto type = fields.get<std::string>("peft_type", "LORA");
    check(type == "LORA", ErrorKind::input, "[{}] \"peft_type\": got \"{}\", expected \"LORA\"; other adapters are not supported",
          fields.where(), type);
    common_ = AdapterConfig::from(fields, "");
  }
}

const AdapterConfig* AdapterConfigs::of(const std::string& component) const {
  if (const auto found = by_component_.find(component); found != by_component_.end()) return &found->second;
  return common_ ? &*common_ : nullptr;
}

}  // namespace negativa
