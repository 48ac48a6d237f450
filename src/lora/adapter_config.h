#pragma once
// The scale rules of peft's LoraConfig, from adapter_config.json or from a safetensors file's `lora_adapter_metadata`.
// Source: peft tuners/lora/config.py, tuners/lora/layer.py (scaling), utils/other.py (get_pattern_key).
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace negativa {

class ConfigReader;

class AdapterConfig {
 public:
  // From the fields "<prefix>r", "<prefix>lora_alpha", "<prefix>alpha_pattern", "<prefix>use_rslora", "<prefix>use_dora" of a
  // flat object; absent when it has no "<prefix>lora_alpha" and is no DoRA's. Throws ErrorKind::file_format for fields of another
  // type and for patterns that are more than a name.
  static std::optional<AdapterConfig> from(const ConfigReader& fields, const std::string& prefix);

  // The alpha for which alpha / rank is the scale peft uses: lora_alpha or its pattern's, times sqrt(rank) with use_rslora.
  double alpha(const std::string& module, int64_t rank) const;
  bool is_dora() const { return use_dora_; }

 private:
  std::optional<double> lora_alpha_;
  bool use_rslora_ = false, use_dora_ = false;
  std::map<std::string, double> alpha_pattern_;  // a name or a name's end -> alpha
};

// For each component its config; the files of one LoRA: `metadata_json` (empty: none) and peft's adapter_config.json (empty:
// none). A config without component names is that of every component (peft knows one model a file).
class AdapterConfigs {
 public:
  AdapterConfigs(const std::string& metadata_json, const std::filesystem::path& peft_config, const std::string& where);
  const AdapterConfig* of(const std::string& component) const;  // nullptr: none

 private:
  std::map<std::string, AdapterConfig> by_component_;
  std::optional<AdapterConfig> common_;
};

}  // namespace negativa
