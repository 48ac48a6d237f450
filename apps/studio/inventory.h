#pragma once
// What lies in the studio's folders: models, LoRAs, embeddings, VAEs.
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "library/roots.h"

namespace negativa::studio {

struct InventoryItem {
  std::string reference;  // ROOT/NAME: what a request calls it
  std::string name;       // its plain name, without ".safetensors" or a pickle's ending
  std::string kind;       // "model", "unet", "vae", "lora", "embedding"
  int64_t bytes = 0, changed_ms = 0;
  std::string fault;  // why it cannot be used; empty: it can
  std::filesystem::path path;
};

// Safe to use from several threads.
class Inventory {
 public:
  explicit Inventory(const Roots& roots) : roots_(roots) {}

  // In order of names. Reads the headers of files that are new or changed.
  std::vector<InventoryItem> all() const;
  std::vector<InventoryItem> of_kind(const std::string& kind) const;

 private:
  void look_in(const Root& root, const std::filesystem::path& folder, int depth, std::vector<InventoryItem>& found) const;
  std::string kind_of(const std::filesystem::path& file) const;
  InventoryItem item(const std::filesystem::path& path, const std::string& kind) const;

  const Roots& roots_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::pair<std::string, std::string>> kinds_;  // path -> size and time, kind
};

}  // namespace negativa::studio
