#include "lora/lora_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/file_names.h"
#include "base/names.h"
#include "lora/adapter_config.h"
#include "lora/guess.h"
#include "lora/key_index.h"
#include "lora/read_layers.h"

namespace negativa {

namespace {

// What diffusers' save_lora_weights calls its file.
constexpr const char* diffusers_weights = "pytorch_lora_weights.safetensors";
constexpr const char *peft_pickle = "adapter_model.bin", *diffusers_pickle = "pytorch_lora_weights.bin";
constexpr const char* components[] = {names::unet, names::text_encoder, names::text_encoder_2};

// "a, b, c and 12 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t shown = 3;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(shown, names.size()));
  const auto more = names.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, ", "), more ? fmt::format(" and {} more", more) : "");
}

std::filesystem::path config_beside(const std::filesystem::path& weights) {
  const auto config = weights.parent_path() / names::peft_config;
  const bool is_pefts = weights.filename() == names::peft_weights || weights.filename() == peft_pickle;
  return is_pefts && std::filesystem::exists(config) ? config : std::filesystem::path();
}

// The one safetensors file of a folder in which none has a name that libraries give.
std::filesystem::path only_file(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().extension() == ".safetensors") files.push_back(entry.path());
  check(files.size() == 1, ErrorKind::input, "[lora] {} has neither {} nor {}, and {} safetensors files; name the file itself",
        folder.string(), names::peft_weights, diffusers_weights, files.empty() ? "no" : std::to_string(files.size()));
  return files.front();
}

// DoRA's: kohya's dora_scale, diffusers' and peft's lora_magnitude_vector, with and without an adapter's name or ".weight", on
// whatever layer.
bool is_magnitude(const std::string& key) {
  return key.find("dora_scale") != std::string::npos || key.find("magnitude") != std::string::npos;
}

// What the file's keys are, before its tensors are read.
SortedKeys sort_into(LoraFile& lora, const TensorFile& file, const LoraTargets& targets) {
  auto sorted = sort_keys(file, LoraKeyIndex(targets));
  auto& coverage = lora.coverage;
  for (const auto* entry : sorted.unfit)
    if (!is_bundled(entry->name)) (is_magnitude(entry->name) ? coverage.magnitudes : coverage.unmatched).push_back(entry->name);
  coverage.matched = sorted.matched;
  coverage.superseded = sorted.superseded;
  const auto most = std::max_element(sorted.dialects.begin(), sorted.dialects.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != sorted.dialects.end()) lora.dialect = most->first;
  return sorted;
}

LoraFile survey_file(const std::filesystem::path& path, const LoraTargets& targets) {
  LoraFile lora;
  lora.path = path;
  const auto file = open_tensor_file(lora.path);
  lora.metadata = file->metadata();
  const auto sorted = sort_into(lora, *file, targets);
  lora.embeddings = bundled_embeddings(*file, lora.coverage);
  const auto adapter = lora.metadata.find("lora_adapter_metadata");
  const AdapterConfigs configs(adapter == lora.metadata.end() ? "" : adapter->second, config_beside(lora.path),
                               lora.path.filename().string());
  load_layers(*file, sorted.layers, configs, lora);
  const auto& coverage = lora.coverage;
  if (!coverage.unmatched.empty() || !coverage.faults.empty() || !coverage.magnitudes.empty())
    lora.coverage.guess = guess_purpose(*file, targets);
  lora.coverage.remark = remark_on(*file);
  return lora;
}

// Makes a part the next piece of a LoRA that lies in several files; the first one's metadata counts.
void append(LoraFile& whole, LoraFile part) {
  if (whole.modules.empty() && whole.changes.empty()) whole.metadata = std::move(part.metadata);
  whole.dialect = part.dialect;
  whole.modules.merge(part.modules);
  whole.changes.merge(part.changes);
  auto& all = whole.coverage;
  all.matched.merge(part.coverage.matched);
  all.unmatched.insert(all.unmatched.end(), part.coverage.unmatched.begin(), part.coverage.unmatched.end());
  all.faults.insert(all.faults.end(), part.coverage.faults.begin(), part.coverage.faults.end());
  all.off.insert(all.off.end(), part.coverage.off.begin(), part.coverage.off.end());
  all.magnitudes.insert(all.magnitudes.end(), part.coverage.magnitudes.begin(), part.coverage.magnitudes.end());
  all.superseded.insert(all.superseded.end(), part.coverage.superseded.begin(), part.coverage.superseded.end());
  whole.embeddings.insert(whole.embeddings.end(), part.embeddings.begin(), part.embeddings.end());
  if (all.guess.empty()) all.guess = part.coverage.guess;
  if (all.remark.empty()) all.remark = part.coverage.remark;
}

// "; it seems to be a LoRA for Flux"
std::string seems(const LoraFile& lora) {
  return lora.coverage.guess.empty() ? "" : fmt::format("; it seems to be {}", lora.coverage.guess);
}

void check_usable(const LoraFile& lora, bool allow_unmatched) {
  const auto& coverage = lora.coverage;
  const auto name = lora.path.filename().string();
  check(coverage.magnitudes.empty(), ErrorKind::input,
        "[lora] {} is a DoRA of which {} magnitudes belong to no layer of this model ({}): dropping them would change what it "
        "does; "
        "use a file made for this model",
        name, coverage.magnitudes.size(), some_of(coverage.magnitudes));
  if (!coverage.faults.empty()) {
    std::vector<std::string> texts;
    for (const auto& fault : coverage.faults) texts.push_back(fault.text);
    fail(ErrorKind::shape, "[lora] {}: {} layers do not fit this model ({}){}", name, texts.size(), some_of(texts), seems(lora));
  }
  const bool any = !lora.modules.empty() || !lora.changes.empty() || !coverage.off.empty();
  check(any || !coverage.unmatched.empty(), ErrorKind::input,
        "[lora] {} holds no tensors, expected those of a LoRA; is the download complete?", name);
  check(any, ErrorKind::missing_key, "[lora] {}: got {} keys, none of which fits a layer of this model ({}){}", name,
        coverage.unmatched.size(), some_of(coverage.unmatched), seems(lora));
  check(allow_unmatched || coverage.unmatched.empty(), ErrorKind::missing_key,
        "[lora] {}: {} keys fit no layer of this model ({}){}; use a LoRA made for this model, or --allow-unmatched to skip them",
        name, coverage.unmatched.size(), some_of(coverage.unmatched), seems(lora));
}

}  // namespace

std::string dialect_name(LoraDialect dialect) {
  switch (dialect) {
    case LoraDialect::diffusers:
      return "diffusers";
    case LoraDialect::kohya:
      return "kohya";
    case LoraDialect::peft:
      break;
  }
  return "peft";
}

LoraDialect dialect_from_name(const std::string& name) {
  for (const auto dialect : {LoraDialect::diffusers, LoraDialect::kohya, LoraDialect::peft})
    if (name == dialect_name(dialect)) return dialect;
  fail(ErrorKind::input, "[--format] got \"{}\", expected diffusers, kohya or peft", name);
}

void for_each_layer(const LoraFile& lora,
                    const std::function<void(const std::string& component, const std::string& name)>& call) {
  std::map<std::string, std::set<std::string>> layers;
  for (const auto& [component, modules] : lora.modules)
    for (const auto& [name, module] : modules) layers[component].insert(name);
  for (const auto& [component, changes] : lora.changes)
    for (const auto& [name, change] : changes) layers[component].insert(name);
  for (const auto& [component, names] : layers)
    for (const auto& name : names) call(component, name);
}

int count_layers(const LoraFile& lora) {
  int count = 0;
  for_each_layer(lora, [&](const std::string&, const std::string&) { ++count; });
  return count;
}

std::vector<std::filesystem::path> lora_weights_paths(const std::filesystem::path& given) {
  const auto path = stored_path(given);
  if (std::filesystem::is_directory(path)) {
    for (const char* name : {names::peft_weights, diffusers_weights})
      if (std::filesystem::exists(path / name)) return {path / name};
    std::vector<std::filesystem::path> several;
    for (const char* component : components)
      for (const char* name : {names::peft_weights, peft_pickle})
        if (std::filesystem::exists(path / component / name)) {
          several.push_back(path / component / name);
          break;
        }
    for (const char* pickle : {peft_pickle, diffusers_pickle})
      if (several.empty() && std::filesystem::exists(path / pickle)) return {path / pickle};
    return several.empty() ? std::vector{only_file(path)} : several;
  }
  return {path};
}

LoraFile survey_lora(const std::filesystem::path& path, const LoraTargets& targets) {
  const auto files = lora_weights_paths(path);
  if (files.size() == 1) return survey_file(files[0], targets);
  LoraFile whole;
  whole.path = path;
  for (const auto& file : files) {
    // A folder's name says which component it is for; the keys in it do not.
    const auto component = file.parent_path().filename().string();
    LoraTargets own{{}, targets.layout};
    if (const auto found = targets.components.find(component); found != targets.components.end()) own.components.insert(*found);
    append(whole, survey_file(file, own));
  }
  return whole;
}

LoraFile read_lora(const std::filesystem::path& path, const LoraTargets& targets, bool allow_unmatched) {
  LoraFile lora = survey_lora(path, targets);
  check_usable(lora, allow_unmatched);
  return lora;
}

}  // namespace negativa
