#include "lora/adapter_config.h"

#include <cmath>

#include "base/json.h"

namespace negativa {

namespace {

// peft's pattern keys are regular expressions; in practice a module's name or its end, with "^" for "the whole name" and "\." for
// ".". Returns the name, with "^" kept.
std::string pattern_name(const std::string& pattern, const std::string& where) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size() && pattern[i + 1] == '.') continue;
    const bool plain =
        std::string_view("\\$*+?()[]{}|^").find(pattern[i]) == std::string_view::npos || (i == 0 && pattern[i] == '^');
    check(plain, ErrorKind::file_format, "[{}] alpha_pattern \"{}\": got a regular expression, expected module names", where,
          pattern);
    name += pattern[i];
  }
  return name;
}

bool matches(const std::string& pattern, const std::string& module) {
  if (pattern.starts_with('^')) return module == pattern.substr(1);
  return module == pattern || module.ends_with("." + pattern);
}

}  // namespace

std::optional<AdapterConfig> AdapterConfig::from(const Json& fields, const std::string& prefix, const std::string& where) {
  check(!get_or<bool>(fields, prefix + "use_dora", false, where), ErrorKind::input,
        "[{}] is a DoRA (use_dora), expected a plain LoRA: magnitudes are not supported; train or export it without DoRA", where);
  if (!fields.contains(prefix + "lora_alpha")) return {};
  AdapterConfig config;
  config.lora_alpha_ = get<double>(fields, prefix + "lora_alpha", where);
  config.use_rslora_ = get_or<bool>(fields, prefix + "use_rslora", false, where);
  const auto patterns = fields.find(prefix + "alpha_pattern");
  if (patterns == fields.end() || patterns->is_null()) return config;
  check(patterns->is_object(), ErrorKind::file_format, "[{}] alpha_pattern: got {}, expected a JSON object", where,
        json_excerpt(*patterns));
  for (const auto& [pattern, alpha] : patterns->items()) {
    check(alpha.is_number(), ErrorKind::file_format, "[{}] alpha_pattern of {}: got {}, expected a number", where, pattern,
          json_excerpt(alpha));
    config.alpha_pattern_[pattern_name(pattern, where)] = alpha.get<double>();
  }
  return config;
}

double AdapterConfig::alpha(const std::string& module, int64_t rank) const {
  double alpha = lora_alpha_;
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
    const std::string origin = where + ", lora_adapter_metadata";
    const Json fields = parse_json(metadata_json, origin);
    check(fields.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", origin, json_excerpt(fields));
    for (const char* component : {"unet", "text_encoder", "text_encoder_2"})
      if (auto config = AdapterConfig::from(fields, std::string(component) + ".", origin))
        by_component_.emplace(component, *config);
    common_ = AdapterConfig::from(fields, "", origin);
  } else if (!peft_config.empty()) {
    const std::string origin = peft_config.filename().string();
    const Json fields = read_json_file(peft_config);
    check(fields.is_object(), ErrorKind::file_format, "[{}] got {}, expected a JSON object", origin, json_excerpt(fields));
    const auto type = get_or<std::string>(fields, "peft_type", "LORA", origin);
    check(type == "LORA", ErrorKind::input, "[{}] peft_type: got \"{}\", expected \"LORA\"; other adapters are not supported",
          origin, type);
    common_ = AdapterConfig::from(fields, "", origin);
  }
}

const AdapterConfig* AdapterConfigs::of(const std::string& component) const {
  if (const auto found = by_component_.find(component); found != by_component_.end()) return &found->second;
  return common_ ? &*common_ : nullptr;
}

}  // namespace negativa
