#pragma once
// Models and LoRAs of a run, and the workers that make its pictures. CLI and studio are skins over it.
#include <set>

#include "jobs/options.h"
#include "lora/attach.h"
#include "pipeline/text_to_image.h"

namespace negativa {

class Engine {
 public:
  // Resolves every "auto", opens files, sets the threads of the process; says in a notice which names an embedding file has
  // besides its own. Throws ErrorKind::input, device, file_format. keep_parts: as ModelRequest's.
  explicit Engine(const ModelOptions& options, size_t pictures, std::optional<bool> keep_parts = {});

  Models& models() { return *models_; }
  const Models& models() const { return *models_; }
  int threads_a_picture() const { return threads_a_picture_; }
  int workers() const { return workers_; }
  const std::string& weights_dtype() const { return weights_dtype_; }       // Models::weights_dtype
  const std::vector<Embedding>& embeddings() const { return embeddings_; }  // in order of --embedding
  std::string device_name() const { return device_.is_cuda() ? "cuda" : "cpu"; }

  // Reads each LoRA file once, and says what of it was skipped. Throws as read_lora and parse_lora_spec do.
  std::shared_ptr<const LoraFile> lora(const std::filesystem::path& path);
  std::shared_ptr<const PictureAdapters> adapters(const std::vector<std::string>& specs);
  // What is worth a line before these pictures are made; as they were asked for, before resolved().
  std::vector<std::string> notices(const PictureOptions& asked) const;
  // Every question of a request answered; `width` and others follow the model where they are absent. seed must be set.
  Plan plan(const PictureOptions& options);
  // The same answers as options: what a record stores.
  PictureOptions resolved(const PictureOptions& options) const;

  // Makes all pictures: several at once for a small model, stage by stage for one that does not keep its parts. on_picture is
  // called from one thread at a time, in the order they finish. The first error stops all workers and is thrown here.
  void run(const std::vector<Plan>& plans, const RunHooks& hooks, const OnPicture& on_picture);

 private:
  void load_embeddings();
  ModelOptions options_;
  at::Device device_ = at::kCPU;
  std::unique_ptr<Models> models_;
  int threads_a_picture_ = 1, workers_ = 1;
  std::string weights_dtype_;
  std::vector<Embedding> embeddings_;
  std::optional<LoraTargets> targets_;
  void notice_loras_without_effect(const std::vector<std::string>& specs, const Plan& plan);

  std::map<std::filesystem::path, std::shared_ptr<const LoraFile>> loras_;
  std::set<std::string> noticed_;  // each once for all pictures
  std::map<std::string, std::shared_ptr<const PictureAdapters>> adapters_;
};

// What these LoRAs add to a picture: UNet rows and the text encoders of each branch.
std::shared_ptr<const PictureAdapters> picture_adapters(const std::vector<ActiveLora>& loras);

struct EmbeddingSpec {
  std::filesystem::path path;
  std::optional<std::string> name;  // absent: the file's stem, and the token that the file stores

  bool operator==(const EmbeddingSpec&) const = default;
};

// FILE[=NAME]; an existing file of the whole text wins.
EmbeddingSpec parse_embedding_spec(const std::string& text);

// "768x1024" -> {768, 1024}; separator 'x' or ','. Throws ErrorKind::input naming the flag.
SizePx parse_size(const std::string& text, char separator, std::string_view flag);
GuidanceInterval parse_interval(const std::string& text);

}  // namespace negativa
