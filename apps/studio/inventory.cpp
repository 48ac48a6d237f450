#include "inventory.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/error.h"
#include "base/names.h"
#include "base/text.h"
#include "io/file_kind.h"
#include "io/keys/adapter_names.h"
#include "io/tensor_file.h"
#include "io/tiny_vae.h"
#include "library/names.h"

namespace negativa::studio {

namespace fs = std::filesystem;

namespace {

constexpr int deepest = 4;  // folders below a root

// Of a run's folders those that hold pictures and records by the thousand.
bool holds_no_weights(const std::string& name) {
  for (const char* folder : {names::pictures_folder, names::metrics_folder, names::sets_folder, names::thumbnails_folder,
                             names::sheets_folder, names::work_folder})
    if (name == folder) return true;
  return false;
}

bool is_of_adapter(const std::string& name) {
  if (ascii_lower(name).find("lora") != std::string::npos) return true;
  const auto& suffixes = adapter_suffixes();
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const auto& suffix) { return name.ends_with(suffix.text); });
}

// Vectors of words: few, and nothing of a layer among them.
bool is_of_embedding(const TensorEntry& entry) {
  return entry.shape.size() <= 2 && !entry.name.ends_with(".weight") && !entry.name.ends_with(".bias");
}

// What a file of tensors is, by their names and shapes alone.
std::string kind_of_entries(const std::vector<TensorEntry>& entries) {
  constexpr size_t most_words = 64;
  bool has_unet = false, has_unet_alone = false, has_vae = false, has_words = !entries.empty() && entries.size() <= most_words;
  for (const auto& entry : entries) {
    if (is_of_adapter(entry.name)) return "lora";
    has_unet |= entry.name.starts_with("model.diffusion_model.") || entry.name.starts_with("model_ema.diffusion_model");
    has_unet_alone |= entry.name.ends_with("add_embedding.linear_1.weight") || entry.name.ends_with("label_emb.0.0.weight");
    has_vae |= entry.name.find("decoder.conv_in.weight") != std::string::npos;
    has_words = has_words && is_of_embedding(entry);
  }
  return has_unet ? "model" : has_unet_alone ? "unet" : has_vae ? "vae" : has_words ? "embedding" : "";
}

}  // namespace

std::string Inventory::kind_of(const fs::path& file) const {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return "";
  const std::string state = fmt::format("{} {} {}", status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = kinds_.find(file.string()); known != kinds_.end() && known->second.first == state)
      return known->second.second;
  }
  std::string kind;
  try {
    const auto opened = open_tensor_file(file);
    kind = is_tiny_vae(*opened) ? "vae" : kind_of_entries(opened->entries());
  } catch (const Error&) {  // nothing that can be used
  }
  const std::lock_guard lock(mutex_);
  kinds_[file.string()] = {state, kind};
  return kind;
}

InventoryItem Inventory::item(const fs::path& path, const std::string& kind) const {
  InventoryItem found;
  found.path = path;
  found.kind = kind;
  found.reference = roots_.reference_of(path);
  const bool is_file = fs::is_regular_file(path);
  found.name = is_file ? path.stem().string() : path.filename().string();
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    found.bytes = is_file ? status.st_size : 0;
    found.changed_ms = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
  }
  try {
    roots_.resolve(found.reference, "name");
  } catch (const Error& error) {
    found.fault = error.what();
  }
  return found;
}

void Inventory::look_in(const Root& root, const fs::path& folder, int depth, std::vector<InventoryItem>& found) const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    const std::string name = path.filename().string();
    if (name.starts_with('.') || path.extension() == names::run_suffix || valid_utf8(name) != name) continue;
    if (entry.is_directory(error)) {
      if (fs::exists(path / names::model_index))
        found.push_back(item(path, "model"));
      else if (fs::exists(path / names::peft_config))
        found.push_back(item(path, "lora"));
      else if (depth < deepest && !entry.is_symlink() && !(root.name == library_names::runs && holds_no_weights(name)))
        look_in(root, path, depth + 1, found);
    } else if (has_weights_name(path)) {
      if (const std::string kind = kind_of(path); !kind.empty()) found.push_back(item(path, kind));
    }
  }
}

std::vector<InventoryItem> Inventory::all() const {
  std::vector<InventoryItem> found;
  for (const auto& root : roots_.roots())
    if (root.name != "pictures") look_in(root, root.folder, 1, found);
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return std::tie(a.name, a.reference) < std::tie(b.name, b.reference); });
  return found;
}

std::vector<InventoryItem> Inventory::of_kind(const std::string& kind) const {
  auto found = all();
  std::erase_if(found, [&](const InventoryItem& item) { return item.kind != kind; });
  return found;
}

}  // namespace negativa::studio
