#pragma once
// What a running program holds: opened models, LoRAs and embeddings between requests, and the threads that work on them. A
// request is a Session (engine/session.h).
#include "base/places.h"
#include "base/sha256.h"
#include "engine/recently_used.h"
#include "engine/workers.h"
#include "lora/lora_file.h"
#include "model/models.h"

namespace negativa {

struct EngineSettings {
  Places places;
  // Of weights that stay in memory between requests; absent: half of what is available when the engine is made. A model that is
  // at work is never let go of, whatever it takes; one that does not fit holds the part at work alone.
  std::optional<int64_t> memory_budget_bytes = {};
  // A TAESD (file or folder) that latent previews are decoded with where it fits the model's latents; absent: the linear map.
  std::optional<std::filesystem::path> preview_vae = {};
  // What it returns is held while a large part is loaded: a program may tune its allocator (core/memory.h, LargeBlocks).
  std::function<std::shared_ptr<void>()> while_loading = {};
};

// Safe to use from several threads. Outlives its sessions.
class Engine {
 public:
  explicit Engine(EngineSettings settings);

  const Places& places() const { return settings_.places; }
  const EngineSettings& settings() const { return settings_; }
  Hashing hashing(const CancelToken* cancel) const { return {places().cache, cancel, &hashes_}; }
  Workers& workers() { return workers_; }

  // The model of that request, opened unless it is open already with the same files unchanged. It stays in memory while anyone
  // holds it, and then as long as the memory budget allows. Throws as Models does.
  std::shared_ptr<Models> open(ModelRequest request);
  // Bytes of all weights in memory.
  int64_t held_bytes() const;
  int64_t memory_budget_bytes() const { return budget_bytes_; }

  // The TAESD of the settings, loaded when it is first asked for; nullptr: there is none, or it is not of these latents, which
  // `notice` is told. Throws as open_vae does.
  std::shared_ptr<const Vae> preview_vae(const Models& models, const std::function<void(const std::string&)>& notice);

  // By content: another file of the same bytes is not read again, and a file that has changed is. Throws as read_lora does.
  std::shared_ptr<const LoraFile> lora(const std::filesystem::path& path, const Models& models, bool allow_unmatched,
                                       const CancelToken* cancel);
  // Likewise; `name` absent: the file's stem. Throws as load_embedding does.
  std::shared_ptr<const EmbeddingFile> embedding(const std::filesystem::path& path, const std::optional<std::string>& name,
                                                 const Models& models, const CancelToken* cancel);

 private:
  struct Opened {
    std::string key, files;  // what was asked for; the files' sizes and times
    std::shared_ptr<Models> models;
  };

  const EngineSettings settings_;
  const int64_t budget_bytes_;
  // Whoever gives a model back may outlive the engine's members one by one, so what that touches is shared.
  struct Shelf {
    std::mutex mutex;
    std::list<Opened> opened;  // the last used first
    int64_t budget_bytes = 0;
    void make_room(int64_t more_bytes);
  };
  std::shared_ptr<Shelf> shelf_;
  mutable HashMemory hashes_;
  std::mutex preview_mutex_;
  std::map<std::string, std::shared_ptr<const Vae>> preview_vaes_;  // by device
  RecentlyUsed<std::shared_ptr<const LoraFile>> loras_;
  RecentlyUsed<std::shared_ptr<const EmbeddingFile>> embeddings_;
  Workers workers_;
};

// Throws ErrorKind::input for a file or folder that is no TAESD, and as open_vae does: what EngineSettings::preview_vae would.
void check_preview_vae(const std::filesystem::path& path);

}  // namespace negativa
