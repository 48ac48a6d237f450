#include "train/network_weights.h"

#include <algorithm>
#include <set>

#include "base/file_names.h"
#include "base/text.h"

namespace negativa {

namespace {

// Why it cannot be trained: what it is. Empty: it can.
std::string untrainable(const LayerChange& change) {
  if (change.pieces.empty()) return "a difference of its bias";
  if (change.kind != &lora_kind()) return "a " + change.name();
  if (change.bias.defined()) return "a " + change.name() + " with a difference of its bias";
  if (change.magnitude->per_input) return "a " + change.name() + " with magnitudes of inputs";
  return change.pieces.contains("lora_mid") ? "a " + change.name() + " with a Tucker core" : "";
}

void check_trainable(const LoraFile& lora) {
  for (const auto& [component, changes] : lora.changes)
    for (const auto& [name, change] : changes)
      if (const auto what = untrainable(*change); !what.empty())
        fail(ErrorKind::input,
             "[--network-weights] {}: {} has {}, which cannot be trained; expected a LoRA, a LoCon or a DoRA over one of "
             "them",
             last_name(lora.path), name, what);
}

template <class Layers>
const typename Layers::mapped_type::mapped_type* find(const Layers& layers, const std::string& component,
                                                      const std::string& name) {
  const auto part = layers.find(component);
  if (part == layers.end()) return nullptr;
  const auto found = part->second.find(name);
  return found == part->second.end() ? nullptr : &found->second;
}

template <class Number>
void check_number(const char* flag, const std::optional<Number>& given, Number of_file, const std::string& layer,
                  const LoraFile& lora) {
  check(!given || *given == of_file, ErrorKind::input, "[{}] got {}, but {} has {} ({}): leave it out, it is the file's", flag,
        *given, last_name(lora.path), of_file, layer);
}

void check_numbers(const TrainLoraOptions& options, const LoraFile& lora, const std::vector<TrainedModule>& modules) {
  for (const auto& module : modules) {
    const bool wide = module.is_wide_convolution();
    check_number(wide ? "--conv-rank" : "--rank", wide ? options.conv_rank : options.rank, module.rank, module.name(), lora);
    check_number(wide ? "--conv-alpha" : "--alpha", wide ? options.conv_alpha : options.alpha, module.alpha, module.name(), lora);
    check(!options.dora || module.has_magnitude, ErrorKind::input,
          "[--dora] {} has a plain LoRA ({}), expected a DoRA: leave it out, the kind is the file's", last_name(lora.path),
          module.name());
  }
  const bool has_wide =
      std::any_of(modules.begin(), modules.end(), [](const TrainedModule& module) { return module.is_wide_convolution(); });
  check(has_wide || (!options.conv_rank && !options.conv_alpha), ErrorKind::input,
        "[{}] {} has no convolution larger than 1x1: leave it out", options.conv_rank ? "--conv-rank" : "--conv-alpha",
        last_name(lora.path));
}

using Names = std::set<std::string>;

Names names_of(const std::vector<TrainedModule>& modules, bool unet) {
  Names names;
  for (const auto& module : modules)
    if ((module.component == "unet") == unet) names.insert(module.component + "." + module.name());
  return names;
}

void check_targets(const TrainLoraOptions& options, const LoraFile& lora, const LoraTargets& targets,
                   const std::vector<TrainedModule>& modules) {
  check(!options.text_encoders || !names_of(modules, false).empty(), ErrorKind::input,
        "[--text-encoders] {} adapts no text encoder: leave it out, the layers are the file's", last_name(lora.path));
  if (!options.targets) return;
  const Names asked = names_of(modules_to_train(targets, resolved(options)), true), there = names_of(modules, true);
  Names differing;
  std::set_symmetric_difference(asked.begin(), asked.end(), there.begin(), there.end(),
                                std::inserter(differing, differing.end()));
  if (differing.empty()) return;
  const std::string& first = *differing.begin();
  fail(ErrorKind::input, "[--targets] got {}, but {} {} {}: leave it out, the layers are the file's", *options.targets,
       last_name(lora.path), there.contains(first) ? "adapts" : "does not adapt", first);
}

// Found out before the first step rather than after the last.
void check_format(const TrainLoraOptions& options, const LoraFile& lora, const std::vector<TrainedModule>& modules) {
  if (options.format == "kohya") return;
  std::map<std::string, std::map<bool, std::string>> layers;
  for (const auto& module : modules) layers[module.component].emplace(module.has_magnitude, module.name());
  for (const auto& [component, of_kind] : layers)
    check(of_kind.size() == 1, ErrorKind::input,
          "[--format] {} has a DoRA ({}) and a plain LoRA ({}), which {}'s format cannot hold side by side; use --format kohya",
          last_name(lora.path), of_kind.rbegin()->second, of_kind.begin()->second, options.format);
}

}  // namespace

std::vector<TrainedModule> modules_of_file(const LoraFile& lora, const LoraTargets& targets) {
  check_trainable(lora);
  std::vector<TrainedModule> modules;
  for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
    const auto of_model = targets.components.find(component);
    if (of_model == targets.components.end()) continue;
    for (const auto& target : of_model->second) {
      if (const auto* plain = find(lora.modules, component, target.name))
        modules.push_back({component, target, plain->rank(), plain->alpha, false});
      else if (const auto* change = find(lora.changes, component, target.name))
        modules.push_back({component, target, (*change)->rank, (*change)->scale * static_cast<double>((*change)->rank), true});
    }
  }
  check(!modules.empty(), ErrorKind::input, "[--network-weights] {} has no layer that is on (alpha 0 switches layers off)",
        last_name(lora.path));
  return modules;
}

TrainLoraOptions agreed_with_file(const TrainLoraOptions& options, const LoraFile& lora, const LoraTargets& targets,
                                  const std::vector<TrainedModule>& modules) {
  check_targets(options, lora, targets, modules);
  check_numbers(options, lora, modules);
  check_format(options, lora, modules);
  TrainLoraOptions agreed = options;
  agreed.rank.reset();
  agreed.alpha.reset();
  agreed.targets.reset();
  agreed.conv_rank.reset();
  agreed.conv_alpha.reset();
  agreed.dora = false;
  agreed.text_encoders = !names_of(modules, false).empty();
  return agreed;
}

std::vector<std::string> left_out_of_file(const LoraFile& lora) {
  std::vector<std::string> lines;
  if (!lora.coverage.off.empty())
    lines.push_back(fmt::format("[--network-weights] {}: {} layers of alpha 0 are off and not trained ({}{})",
                                last_name(lora.path), lora.coverage.off.size(), lora.coverage.off.front().module,
                                lora.coverage.off.size() > 1 ? ", …" : ""));
  std::vector<std::string> words;
  for (const auto& embedding : lora.embeddings) words.push_back(embedding.word);
  if (!words.empty())
    lines.push_back(fmt::format("[--network-weights] {} brings the words {} along, which the trained file will not have",
                                last_name(lora.path), joined(words, ", ")));
  return lines;
}

}  // namespace negativa
