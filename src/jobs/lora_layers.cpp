#include "jobs/lora_layers.h"

#include "base/json.h"
#include "io/models_folder.h"
#include "lora/key_index.h"
#include "lora/lora_spec.h"
#include "lora/notices.h"
#include "model/lora_targets.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

LoraLayers layers_of(const Path& model, const Places& places) {
  const ModelFiles files = open_model(model, places);
  return {files.name, lora_targets(files)};
}

struct Fit {
  int64_t fitting = 0, unfit = 0;  // keys of all files
};

Fit fit_of(const LoraTargets& targets, const std::vector<Path>& files) {
  const LoraKeyIndex index(targets);
  Fit fit;
  for (const auto& path : files)
    for (const auto& weights : lora_weights_paths(path)) {
      const auto file = open_tensor_file(weights);
      const int64_t unfit = count_unfit_keys(*file, index);
      fit.unfit += unfit;
      fit.fitting += static_cast<int64_t>(file->entries().size()) - unfit;
    }
  return fit;
}

}  // namespace

std::optional<Path> sdxl_layers_folder(const Places& places) {
  if (!places.bundled || !fs::exists(*places.bundled / "sdxl-layers")) return {};
  return *places.bundled / "sdxl-layers";
}

LoraLayers lora_layers(const std::string& model, const std::vector<Path>& files, const Places& places) {
  if (!model.empty()) return layers_of(find_model(model, places), places);
  LoraLayers bundled = layers_of(default_model(places), places);
  const auto folder = sdxl_layers_folder(places);
  const Fit of_bundled = fit_of(bundled.targets, files);
  if (!folder || of_bundled.unfit == 0) return bundled;
  LoraLayers sdxl = layers_of(*folder, places);
  return fit_of(sdxl.targets, files).fitting > of_bundled.fitting ? sdxl : bundled;
}

std::vector<Path> lora_paths(const std::vector<std::string>& specs, const std::string& where) {
  std::vector<Path> paths;
  for (const auto& spec : specs) paths.push_back(parse_weighted_lora(spec, where).path);
  return paths;
}

GivenLoras read_loras(const std::vector<std::string>& specs, const std::string& where, const LoraTargets& targets,
                      const LoraReading& reading) {
  const auto say = [&](const std::vector<std::string>& lines) {
    for (const auto& line : lines) reading.caller.events.on_notice(line);
  };
  GivenLoras given;
  std::map<Path, std::shared_ptr<const LoraFile>> files;
  for (const auto& text : specs) {
    const LoraSpec spec = parse_weighted_lora(text, where);
    auto& file = files[spec.path];
    const bool is_new = !file;
    if (is_new) file = std::make_shared<const LoraFile>(read_lora(spec.path, targets, reading.allow_unmatched));
    given.loras.push_back({file, spec.weight});
    given.inputs.push_back(lora_input(spec.path, reading.hashing));
    const auto& name = given.inputs.back().name;
    say(lines_of_no_effect({file, spec.weight, LoraBranch::both}, name));
    if (!is_new) continue;
    say(lines_of_skipped(*file, name));
    say(lines_of_left_out(*file, name));
  }
  return given;
}

std::string loras_json(const GivenLoras& given) {
  Json list = Json::array();
  for (size_t i = 0; i < given.loras.size(); ++i)
    list.push_back(
        {{"name", given.inputs[i].name}, {"sha256", given.inputs[i].sha256}, {"weight", json_of(given.loras[i].weight)}});
  return canonical_json(list);
}

void check_not_an_input(const Path& out, const std::vector<Path>& inputs) {
  for (const auto& input : inputs) {
    std::error_code not_there;
    check(!fs::equivalent(out, input, not_there), ErrorKind::input, "[--out] got {}, which is read; choose another name",
          out.string());
  }
}

}  // namespace negativa
