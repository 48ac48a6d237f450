#include "io/models_folder.h"

#include <algorithm>

#include "base/error.h"
#include "base/file_names.h"
#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {
constexpr const char* extension = ".safetensors";
constexpr const char* default_model_name = "emoji-xl";
constexpr const char* installed_models = "share/negativa/models";  // beside the executable's folder
constexpr const char* repository_models = "models";

bool is_model_folder(const fs::path& folder) { return fs::exists(folder / names::model_index); }

std::optional<fs::path> look_up(const std::string& name, const Places& places) {
  for (const auto& folder : models_folders(places)) {
    for (const auto& path : {stored_path(folder / name), stored_path(folder / (name + extension))})
      if (fs::exists(path)) return path;
  }
  return {};
}

// role: "vae" also names folders that hold no more than one.
std::vector<std::string> known_names(std::string_view role, const Places& places) {
  std::vector<std::string> known;
  for (const auto& folder : models_folders(places)) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->path().extension() == extension) known.push_back(entry->path().filename());
      if (is_model_folder(entry->path()) || (role == names::vae && fs::exists(entry->path() / names::config)))
        known.push_back(entry->path().filename());
    }
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  return known;
}
}  // namespace

std::optional<fs::path> bundled_models_folder() {
  std::error_code error;
  const auto executable = fs::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto holds_default = [](const fs::path& folder) { return is_model_folder(folder / default_model_name); };
  auto above = executable.parent_path();
  if (const auto installed = above.parent_path() / installed_models; holds_default(installed)) return installed;
  for (; above.has_relative_path(); above = above.parent_path())
    if (holds_default(above / repository_models)) return above / repository_models;
  return {};
}

std::vector<fs::path> models_folders(const Places& places) {
  std::vector<fs::path> folders;
  if (fs::is_directory(places.models)) folders.push_back(places.models);
  if (places.bundled) folders.push_back(*places.bundled);
  return folders;
}

namespace {
fs::path find(const char* role, const std::string& name_or_path, const Places& places) {
  if (const fs::path given = stored_path(name_or_path); !given.empty() && fs::exists(given)) return given;
  check(!name_or_path.empty() && name_or_path.find('/') == std::string::npos, ErrorKind::input,
        "[{}] there is no \"{}\", expected a {} folder or a .safetensors file", role, name_or_path, role);
  if (const auto found = look_up(name_or_path, places)) return *found;
  std::vector<std::string> searched = {places.models.string()};
  if (places.bundled) searched.push_back(places.bundled->string());
  const auto names = known_names(role, places);
  fail(ErrorKind::input, "[{}] there is no \"{}\" here nor in {}; there {}{}", role, name_or_path, joined(searched, " or "),
       names.empty() ? "are no models" : "is " + joined(names, ", "), did_you_mean(name_or_path, names));
}
}  // namespace

fs::path find_model(const std::string& name_or_path, const Places& places) { return find("model", name_or_path, places); }

fs::path find_vae(const std::string& name_or_path, const Places& places) { return find("vae", name_or_path, places); }

fs::path find_unet(const std::string& name_or_path, const Places& places) { return find("unet", name_or_path, places); }

fs::path default_model(const Places& places) {
  check(places.bundled.has_value(), ErrorKind::input,
        "[model] the bundled model {} did not come with this program; name a model with -m", default_model_name);
  return *places.bundled / default_model_name;
}

fs::path model_or_default(const std::string& name_or_path, const Places& places) {
  return name_or_path.empty() ? default_model(places) : find_model(name_or_path, places);
}

}  // namespace negativa
