#include "engine/engine.h"

#include <sys/stat.h>

#include <numeric>

#include "base/file_names.h"
#include "core/memory.h"
#include "model/lora_targets.h"
#include "model/recipe_inputs.h"
#include "vae/vae.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr size_t kept_files = 32;  // LoRAs, and embeddings

std::string dtype_text(const std::optional<DType>& dtype) { return dtype ? dtype_name(*dtype) : "auto"; }

std::string whole(const std::optional<fs::path>& path) { return path ? fs::weakly_canonical(*path).string() : ""; }

// All that decides what is opened and how its weights lie in memory.
std::string key_of(const ModelRequest& request) {
  std::string parts;
  for (const auto& [part, dtype] : request.part_storage)
    parts += fmt::format("{}:{} ", part_name(part), dtype ? dtype_name(*dtype) : "file");
  const auto& asked = request.prediction;
  return fmt::format("{}\n{}\n{}\n{}\n{} {} {} {}\n{} {} {} {} {} {}", whole(request.model), whole(request.refiner),
                     whole(request.vae), whole(request.unet), dtype_name(request.compute), dtype_text(request.vae_compute),
                     dtype_text(request.storage), parts, request.device.str(), asked.type ? static_cast<int>(*asked.type) : -1,
                     asked.zero_snr ? static_cast<int>(*asked.zero_snr) : -1,
                     request.keep_parts ? static_cast<int>(*request.keep_parts) : -1, request.keep_bytes,
                     request.pack_large_unet);
}

// Sizes and times of a model's files: another file of the same name is another model.
std::string state_of_files(const Models& models) {
  std::vector<fs::path> files = models.files().files();
  const auto add = [&](const std::vector<fs::path>& more) { files.insert(files.end(), more.begin(), more.end()); };
  if (models.refiner_files()) add(models.refiner_files()->files());
  if (models.vae_files()) add(models.vae_files()->files);
  if (models.files().unet) add(models.files().unet->files);
  std::string state;
  for (const auto& file : files) {
    struct stat status {};
    if (::stat(file.c_str(), &status) != 0) return file.string() + " is not there";
    state += fmt::format("{} {} {} {} {}\n", file.string(), status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec,
                         status.st_ino);
  }
  return state;
}

// Of an opened model: what was asked for, and the files as they are.
std::string identity_of(const Models& models) { return key_of(models.request()) + "\n" + state_of_files(models); }

// A file that is gone or cannot be listed is none of the opened one's.
bool is_unchanged(const std::string& state, const Models& models) {
  try {
    return state_of_files(models) == state;
  } catch (const Error&) {
    return false;
  }
}

// Absent: the file cannot be hashed; what reads it says why.
template <class Hash>
std::optional<std::string> hash_or_none(const Hash& hash) {
  try {
    return hash();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) throw;
    return {};
  }
}

struct PreviewVae {
  VaeFiles files;
  VaeConfig config;
};

PreviewVae open_preview_vae(const fs::path& path) {
  PreviewVae vae{open_vae(path), {}};
  vae.config = VaeConfig::from_json(vae.files.config_json, vae.files.config_name);
  check(vae.config.tiny.has_value(), ErrorKind::input,
        "[--preview-vae] {} is a whole VAE, too slow to be run after every step; give a TAESD, as madebyollin/taesdxl",
        path.string());
  return vae;
}

std::shared_ptr<const Vae> load_preview_vae(const fs::path& path, at::Device device) {
  const auto [files, config] = open_preview_vae(path);
  auto vae = std::make_shared<Vae>(config);
  nn::LoadOptions options;
  options.storage = at::kFloat;
  options.device = device;
  options.pack_small = true;
  vae->load(files.weights, options);
  return vae;
}

// A TAESD knows one VAE's latents. SDXL's are told by their scale: other models' VAEs have another.
std::string why_not_previewed(const VaeConfig& tiny, const VaeConfig& own) {
  if (own.tiny) return "";
  if (tiny.latent_channels != own.latent_channels || tiny.factor() != own.factor())
    return fmt::format("it is for latents of {} channels at 1/{} of the size, these have {} at 1/{}", tiny.latent_channels,
                       tiny.factor(), own.latent_channels, own.factor());
  if (!has_scale_of_sdxl(own))
    return fmt::format("the model's latents are not SDXL's (scaling factor {}, SDXL's is {})", own.scaling_factor,
                       scaling_factor_of_sdxl);
  return "";
}

}  // namespace

Engine::Engine(EngineSettings settings)
    : settings_(std::move(settings)),
      budget_bytes_(settings_.memory_budget_bytes.value_or(available_bytes() / 2)),
      shelf_(std::make_shared<Shelf>()),
      loras_(kept_files),
      embeddings_(kept_files) {
  shelf_->budget_bytes = budget_bytes_;
}

void Engine::Shelf::make_room(int64_t more_bytes) {
  int64_t held = std::accumulate(opened.begin(), opened.end(), int64_t{0},
                                 [](int64_t sum, const Opened& one) { return sum + one.models->held_bytes(); });
  for (auto one = opened.end(); one != opened.begin();) {
    --one;
    if (held + more_bytes <= budget_bytes) return;
    if (one->models.use_count() > 1) continue;
    held -= one->models->held_bytes();
    one->models->release();
    one = opened.erase(one);
  }
}

std::shared_ptr<Models> Engine::open(ModelRequest request) {
  request.keep_bytes = budget_bytes_;
  if (!request.while_loading) request.while_loading = settings_.while_loading;
  const std::string key = key_of(request);
  const std::lock_guard lock(shelf_->mutex);
  auto& opened = shelf_->opened;
  auto found = std::find_if(opened.begin(), opened.end(), [&](const Opened& one) { return one.key == key; });
  if (found != opened.end() && !is_unchanged(found->files, *found->models)) {
    opened.erase(found);  // whoever draws with it still holds it
    found = opened.end();
  }
  if (found == opened.end()) {
    auto models = std::make_shared<Models>(std::move(request), places());
    shelf_->make_room(models->keeps_parts() ? models->weight_bytes() : 0);
    opened.push_front({key, state_of_files(*models), std::move(models)});
  } else {
    opened.splice(opened.begin(), opened, found);
  }
  // The last of those who hold this pointer makes room for others.
  const auto give_back = [shelf = shelf_, models = opened.front().models](Models*) mutable {
    models.reset();
    const std::lock_guard lock(shelf->mutex);
    shelf->make_room(0);
  };
  return {opened.front().models.get(), give_back};
}

int64_t Engine::held_bytes() const {
  const std::lock_guard lock(shelf_->mutex);
  return std::accumulate(shelf_->opened.begin(), shelf_->opened.end(), int64_t{0},
                         [](int64_t sum, const Opened& one) { return sum + one.models->held_bytes(); });
}

void check_preview_vae(const fs::path& path) { open_preview_vae(path); }

std::shared_ptr<const Vae> Engine::preview_vae(const Models& models, const std::function<void(const std::string&)>& notice) {
  if (!settings_.preview_vae) return nullptr;
  const std::lock_guard lock(preview_mutex_);
  const at::Device device = models.request().device;
  auto& vae = preview_vaes_[device.str()];
  if (!vae) vae = load_preview_vae(*settings_.preview_vae, device);
  const std::string why = why_not_previewed(vae->config, models.vae_config());
  if (why.empty()) return vae;
  notice(fmt::format("previews are by the linear map, not by {}: {}", last_name(*settings_.preview_vae), why));
  return nullptr;
}

std::shared_ptr<const LoraFile> Engine::lora(const fs::path& path, const Models& models, bool allow_unmatched,
                                             const CancelToken* cancel) {
  const auto read = [&] {
    return std::make_shared<const LoraFile>(read_lora(path, lora_targets(models.files()), allow_unmatched));
  };
  const auto hash = hash_or_none([&] { return lora_input(path, hashing(cancel)).sha256; });
  if (!hash) return read();
  return loras_.get(fmt::format("{}\n{}\n{}\n{}", *hash, last_name(path), identity_of(models), allow_unmatched), read);
}

std::shared_ptr<const EmbeddingFile> Engine::embedding(const fs::path& path, const std::optional<std::string>& name,
                                                       const Models& models, const CancelToken* cancel) {
  const auto read = [&] { return std::make_shared<const EmbeddingFile>(load_embedding(path, name, models.embedding_widths())); };
  const auto hash = hash_or_none([&] { return embedding_input(path, hashing(cancel)).sha256; });
  if (!hash) return read();
  return embeddings_.get(fmt::format("{}\n{}\n{}\n{}", *hash, last_name(path), name.value_or("\n"), identity_of(models)), read);
}

}  // namespace negativa
