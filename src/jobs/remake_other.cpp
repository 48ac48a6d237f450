#include "jobs/remake_other.h"

#include "base/file_names.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "engine/other_picture.h"
#include "io/models_folder.h"
#include "model/recipe_inputs.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// Looks for files by the names that other programs know them by: without ending, in folders.
class ByName {
 public:
  ByName(const GenerateOptions& given, const Places& places) {
    for (const auto& spec : given.picture.lora) given_.add(parse_lora_spec(spec).path);
    for (const auto& spec : given.model.embedding) given_.add(parse_embedding_spec(spec).path);
    if (!given.model.model.empty()) given_.add(find_model(given.model.model, places));
    for (const auto& folder : models_folders(places)) given_.folders.push_back(folder);
  }

  std::optional<fs::path> find(const std::string& name) const {
    if (name.empty() || name.find('/') != std::string::npos || name == "." || name == "..") return {};
    for (const auto& file : given_.files)
      if (same_name(file.stem().native(), name) || same_name(file.filename().native(), name)) return file;
    std::vector<std::string> spellings = {name};
    for (const char* ending : weights_endings()) spellings.push_back(name + ending);
    std::swap(spellings[0], spellings[1]);  // a file of safetensors before a folder
    for (const auto& folder : given_.folders)
      for (const auto& spelling : spellings)
        if (const fs::path path = stored_path(folder / spelling); fs::exists(path)) return path;
    return {};
  }

  fs::path need(const std::string& role, const std::string& name) const {
    const auto found = find(name);
    check(found.has_value(), ErrorKind::input, "[--from] the {} {} was not found; give it with {} or put it into ${}", role,
          json_excerpt(name), role == "model" ? "-m" : "--" + role, names::models_variable);
    return *found;
  }

 private:
  GivenFiles given_;
};

// A LoRA that is typed without a weight under a name of the picture only says where that file lies.
bool replaces_loras(Fields& fields, const GenerateOptions& options, const OtherPicture& picture) {
  const auto is_place = [&](const std::string& text) {
    const fs::path path = parse_lora_spec(text).path;
    return path == stored_path(text) && std::any_of(picture.loras.begin(), picture.loras.end(),
                                                    [&](const auto& lora) { return same_name(path.stem().native(), lora.name); });
  };
  const auto& typed = options.picture.lora;
  return is_typed(fields, "lora") && !std::all_of(typed.begin(), typed.end(), is_place);
}

void compare_hash(const OtherPicture& picture, const fs::path& model, const Engine& engine, std::vector<std::string>& notices) {
  if (picture.model_hash.empty() || !fs::is_regular_file(model)) return;
  const std::string hash = cached_sha256_file(model, engine.hashing(nullptr));
  if (!hash.starts_with(picture.model_hash))
    notices.push_back(
        not_honoured_line("Model hash", picture.model_hash, "the file of that name here is another one, " + hash.substr(0, 10)));
}

}  // namespace

bool set_from_other_picture(Fields& fields, const GenerateOptions& options, const Engine& engine, const TextChunks& text,
                            std::vector<std::string>& notices) {
  const std::string where = options.output.from.filename().string();
  const ByName files(options, engine.places());
  const auto picture = other_picture(text, [&](const std::string& name) { return files.find(name).has_value(); });
  if (!picture) return false;
  check(picture->has_prompt || is_typed(fields, "prompt"), ErrorKind::input,
        "[--from] the prompt is not found in {}: {}; give it with -p", where,
        picture->not_honoured.empty() ? "it carries none" : picture->not_honoured.front());
  Json settings = parse_json(picture->settings_json, where);
  const auto need = [&](const std::string& role, const std::string& name) {
    if (!name.empty() && !is_typed(fields, role)) settings[role] = files.need(role, name).string();
  };
  need("model", picture->model);
  need("vae", picture->vae);
  need("refiner", picture->refiner);
  if (settings.contains("model")) compare_hash(*picture, settings["model"].get<std::string>(), engine, notices);
  if (!replaces_loras(fields, options, *picture)) {
    Json loras = Json::array();
    for (const auto& [name, rest] : picture->loras) loras.push_back(files.need("lora", name).string() + rest);
    settings["lora"] = loras;
    find_field(fields, "lora")->source = {};
  }
  if (!is_typed(fields, "embedding")) {
    settings["embedding"] = Json::array();
    for (const auto& name : picture->embeddings)
      settings["embedding"].push_back(files.need("embedding", name).string() + "=" + name);
  }
  for (const auto& line : picture->not_honoured) notices.push_back(fmt::format("not as in {}: {}", where, line));
  set_from_json(fields, settings, {Source::file, where});
  return true;
}

}  // namespace negativa
