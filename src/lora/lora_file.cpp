#include "lora/lora_file.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "base/file_names.h"
#include "base/names.h"
#include "lora/adapter_config.h"
#include "lora/guess.h"
#include "lora/key_index.h"
#include "nn/layers.h"

namespace negativa {

namespace {

// What diffusers' save_lora_weights calls its file.
constexpr const char* diffusers_weights = "pytorch_lora_weights.safetensors";
constexpr const char* components[] = {names::unet, names::text_encoder, names::text_encoder_2};

// The tensors of one layer, as found.
struct Pieces {
  const LoraTarget* target = nullptr;
  const TensorEntry *down = nullptr, *up = nullptr, *alpha = nullptr;
};
using PiecesByName = std::map<std::string, std::map<std::string, Pieces>>;  // component -> module

// "a, b, c and 12 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t shown = 3;
  const std::vector<std::string> first(names.begin(), names.begin() + std::min(shown, names.size()));
  const auto more = names.size() - first.size();
  return fmt::format("{}{}", fmt::join(first, ", "), more ? fmt::format(" and {} more", more) : "");
}

std::filesystem::path config_beside(const std::filesystem::path& weights) {
  const auto config = weights.parent_path() / names::peft_config;
  return weights.filename() == names::peft_weights && std::filesystem::exists(config) ? config : std::filesystem::path();
}

// DoRA's: kohya's dora_scale, diffusers' and peft's lora_magnitude_vector, with and without an adapter's name or ".weight", on
// whatever layer.
bool is_magnitude(const std::string& key) {
  return key.find("dora_scale") != std::string::npos || key.find("magnitude") != std::string::npos;
}

// Sorts the file's keys: pieces of layers, DoRA's magnitudes, and what fits nothing.
PiecesByName sort_keys(const SafetensorsFile& file, const LoraTargets& targets, LoraFile& lora) {
  const LoraKeyIndex index(targets);
  PiecesByName pieces;
  std::map<LoraDialect, int> dialects;
  auto& coverage = lora.coverage;
  for (const auto& entry : file.entries()) {
    const auto* place = index.find(entry);
    if (is_magnitude(entry.name) || !place) {
      (is_magnitude(entry.name) ? coverage.magnitudes : coverage.unmatched).push_back(entry.name);
      continue;
    }
    ++coverage.matched[place->component];
    ++dialects[place->dialect];
    auto& layer = pieces[place->component][place->target->name];
    layer.target = place->target;
    auto& slot = place->side == LoraSide::down ? layer.down : place->side == LoraSide::up ? layer.up : layer.alpha;
    if (slot)
      coverage.faults.push_back(
          {place->component, fmt::format("{} is in the file twice: {}, {}", place->target->name, slot->name, entry.name)});
    slot = &entry;
  }
  const auto most =
      std::max_element(dialects.begin(), dialects.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most != dialects.end()) lora.dialect = most->first;
  return pieces;
}

// Why the matrices cannot be those of that layer; empty: they can.
std::string shape_fault(const Pieces& pieces) {
  const auto& target = *pieces.target;
  if (!pieces.up) return fmt::format("{} has a down matrix but no up matrix", target.name);
  if (!pieces.down) return fmt::format("{} has an up matrix but no down matrix", target.name);
  const Shape down = matrix_shape(pieces.down->shape), up = matrix_shape(pieces.up->shape);
  for (const auto* entry : {pieces.down, pieces.up})
    if (!at::isFloatingType(entry->dtype))
      return fmt::format("{} holds {} elements, expected floating-point ones", target.name, dtype_name(entry->dtype));
  if (down.size() != 2 || down[1] != target.in_features || down[0] < 1)
    return fmt::format("{}: down is {}, expected [rank, {}]", target.name, to_string(pieces.down->shape), target.in_features);
  if (up.size() != 2 || up[0] != target.out_features)
    return fmt::format("{}: up is {}, expected {}", target.name, to_string(pieces.up->shape),
                       to_string({target.out_features, down[0]}));
  if (up[1] != down[0]) return fmt::format("{}: down has rank {}, up has rank {}", target.name, down[0], up[1]);
  if (pieces.alpha && c10::multiply_integers(pieces.alpha->shape) != 1)
    return fmt::format("{}: alpha is {}, expected one number", target.name, to_string(pieces.alpha->shape));
  return {};
}

Tensor load_matrix(const SafetensorsFile& file, const TensorEntry& entry) {
  const auto shape = matrix_shape(entry.shape);
  return file.load(entry, at::kFloat).reshape(shape).contiguous();
}

// alpha of the file, else of peft's config, else the rank.
double alpha_of(const SafetensorsFile& file, const Pieces& pieces, const AdapterConfig* config, int64_t rank) {
  if (pieces.alpha) return file.load(*pieces.alpha, at::kDouble).item<double>();
  return config ? config->alpha(pieces.target->name, rank) : static_cast<double>(rank);
}

void load_modules(const SafetensorsFile& file, const PiecesByName& pieces, const AdapterConfigs& configs, LoraFile& lora) {
  for (const auto& [component, layers] : pieces) {
    for (const auto& [name, found] : layers) {
      std::string fault = shape_fault(found);
      LoraModule module;
      if (fault.empty()) {
        module = {load_matrix(file, *found.down), load_matrix(file, *found.up), 0, found.down->dtype, found.target->is_read};
        if (found.up->dtype != found.down->dtype) module.stored = at::kFloat;
        module.alpha = alpha_of(file, found, configs.of(component), module.rank());
        const bool finite = at::isfinite(module.down).all().item<bool>() && at::isfinite(module.up).all().item<bool>() &&
                            std::isfinite(module.alpha);
        if (!finite) fault = fmt::format("{} holds NaN or infinity", name);
      }
      if (!fault.empty())
        lora.coverage.faults.push_back({component, std::move(fault)});
      else if (module.alpha == 0)
        lora.coverage.off.push_back({component, name, module.rank()});
      else
        lora.modules[component].emplace(name, std::move(module));
    }
  }
}

LoraFile survey_file(const std::filesystem::path& path, const LoraTargets& targets) {
  LoraFile lora;
  lora.path = path;
  const auto file = SafetensorsFile::open(lora.path);
  lora.metadata = file->metadata();
  const auto pieces = sort_keys(*file, targets, lora);
  const auto adapter = lora.metadata.find("lora_adapter_metadata");
  const AdapterConfigs configs(adapter == lora.metadata.end() ? "" : adapter->second, config_beside(lora.path),
                               lora.path.filename().string());
  load_modules(*file, pieces, configs, lora);
  const auto& coverage = lora.coverage;
  if (!coverage.unmatched.empty() || !coverage.faults.empty() || !coverage.magnitudes.empty())
    lora.coverage.guess = guess_purpose(*file, targets);
  lora.coverage.remark = remark_on(*file);
  return lora;
}

// Makes a part the next piece of a LoRA that lies in several files; the first one's metadata counts.
void append(LoraFile& whole, LoraFile part) {
  if (whole.modules.empty()) whole.metadata = std::move(part.metadata);
  whole.dialect = part.dialect;
  whole.modules.merge(part.modules);
  auto& all = whole.coverage;
  all.matched.merge(part.coverage.matched);
  all.unmatched.insert(all.unmatched.end(), part.coverage.unmatched.begin(), part.coverage.unmatched.end());
  all.faults.insert(all.faults.end(), part.coverage.faults.begin(), part.coverage.faults.end());
  all.off.insert(all.off.end(), part.coverage.off.begin(), part.coverage.off.end());
  all.magnitudes.insert(all.magnitudes.end(), part.coverage.magnitudes.begin(), part.coverage.magnitudes.end());
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
        "[lora] {} is a DoRA ({}), expected a plain LoRA: dropping its magnitudes would change what it does; train or export it "
        "without DoRA",
        name, some_of(coverage.magnitudes));
  if (!coverage.faults.empty()) {
    std::vector<std::string> texts;
    for (const auto& fault : coverage.faults) texts.push_back(fault.text);
    fail(ErrorKind::shape, "[lora] {}: {} layers do not fit this model ({}){}", name, texts.size(), some_of(texts), seems(lora));
  }
  const bool any = !lora.modules.empty() || !coverage.off.empty();
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

void LoraTargets::add(const std::string& component, const nn::Walk& walk, const std::string& unread) {
  auto& layers = components[component];
  for (const auto& [name, linear] : walk.linears)
    layers.push_back({name, linear->in_features, linear->out_features, unread.empty() || !name.starts_with(unread)});
  if (component != "unet") return;
  std::vector<std::string> keys;
  for (const auto& slot : walk.slots) keys.push_back(slot.name);
  layout = unet_layout(std::move(keys));
}

std::vector<std::filesystem::path> lora_weights_paths(const std::filesystem::path& given) {
  const auto path = stored_path(given);
  if (std::filesystem::is_directory(path)) {
    for (const char* name : {names::peft_weights, diffusers_weights})
      if (std::filesystem::exists(path / name)) return {path / name};
    std::vector<std::filesystem::path> several;
    for (const char* component : components)
      if (std::filesystem::exists(path / component / names::peft_weights))
        several.push_back(path / component / names::peft_weights);
    for (const char* pickle : {"adapter_model.bin", "pytorch_lora_weights.bin"})
      if (several.empty() && std::filesystem::exists(path / pickle)) return {path / pickle};  // so that opening says what it is
    check(!several.empty(), ErrorKind::input, "[lora] {} has neither {} nor {}; name the safetensors file itself", path.string(),
          names::peft_weights, diffusers_weights);
    return several;
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
