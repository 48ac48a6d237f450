#pragma once
// One request's view of an engine: a model, what LoRAs and embeddings add to it, and the pictures that are drawn with them.
#include <span>

#include "engine/engine.h"
#include "engine/options.h"
#include "image/events.h"
#include "lora/attach.h"
#include "pipeline/text_to_image.h"

namespace negativa {

// How long pictures took.
struct DrawingTimes {
  std::optional<double> median_step_s;  // from one step to the next, where one worker drew; absent after fewer than two
};

// Belongs to one thread; several sessions of one engine may be used at once.
class Session {
 public:
  // Resolves every "auto", opens files; says in a notice which names an embedding file has besides its own.
  // pictures: how many there will be, which decides the number of workers. keep_parts: as ModelRequest's.
  // Throws ErrorKind::input, device, file_format.
  Session(Engine& engine, const ModelOptions& options, const Caller& caller, size_t pictures,
          std::optional<bool> keep_parts = {});

  Engine& engine() const { return engine_; }
  const Caller& caller() const { return caller_; }
  Models& models() const { return *models_; }
  const ModelOptions& options() const { return options_; }
  int threads_a_picture() const { return threads_a_picture_; }
  int workers() const { return workers_; }
  const std::string& weights_dtype() const { return weights_dtype_; }       // Models::weights_dtype
  const std::vector<Embedding>& embeddings() const { return embeddings_; }  // in order of --embedding
  // Of one --embedding, by its place among them; none of the second file of a pair, whose words the first has.
  std::span<const Embedding> words_of_embedding(size_t i) const {
    const size_t begin = i == 0 ? 0 : words_end_.at(i - 1);
    return std::span(embeddings_).subspan(begin, words_end_.at(i) - begin);
  }
  std::string device_name() const { return models_->request().device.is_cuda() ? "cuda" : "cpu"; }

  // Says once what of the file was skipped and which words it brings along. Throws as read_lora and parse_lora_spec do.
  std::shared_ptr<const LoraFile> lora(const std::filesystem::path& path);
  std::shared_ptr<const PictureAdapters> adapters(const std::vector<std::string>& specs,
                                                  NegativeRow negative = NegativeRow::reference);
  // Those of --embedding, and the words that these LoRAs bring along; of two of one name the first, of a LoRA of weight 0 none.
  std::vector<Embedding> embeddings_of(const std::vector<std::string>& loras);
  // What is worth a line before these pictures are made; as they were asked for, before resolved().
  std::vector<std::string> notices(const PictureOptions& asked) const;
  // Every question of a request answered; `width` and others follow the model where they are absent. seed must be set.
  Plan plan(const PictureOptions& options);
  // The same answers as options: what a record stores.
  PictureOptions resolved(const PictureOptions& options) const;

  // Makes all pictures on the engine's workers: several at once for a small model, stage by stage for one that does not keep its
  // parts. `stage` is what the steps are counted as. on_picture is called from one thread at a time, in the order they finish.
  // The first error stops all workers and is thrown here.
  DrawingTimes draw(const std::vector<Plan>& plans, const std::string& stage, const OnPicture& on_picture);

 private:
  bool is_of_a_pair(const std::filesystem::path& path) const;
  void load_embeddings();
  void settle_token(const std::string& file, Embedding& embedding) const;
  void notice_loras_without_effect(const PictureOptions& options, const Plan& plan);
  void say(const std::string& text) const { caller_.events.on_notice(text); }

  Engine& engine_;
  const ModelOptions options_;
  const Caller caller_;
  std::shared_ptr<Models> models_;
  int threads_a_picture_ = 1, workers_ = 1;
  std::string weights_dtype_;
  std::vector<Embedding> embeddings_;
  std::vector<size_t> words_end_;  // of embeddings_, one a file
  std::map<std::filesystem::path, std::shared_ptr<const LoraFile>> loras_;
  std::map<std::filesystem::path, std::vector<Embedding>> words_;  // of loras_
  std::map<std::string, std::shared_ptr<const PictureAdapters>> adapters_;
};

// Session::resolved and Session::plan without LoRAs and embeddings, of any opened model.
PictureOptions resolved_picture(const Models& models, const PictureOptions& options);
Plan plan_picture(const Models& models, const PictureOptions& options);

// Where the negative prompt stands in the batch. With --negative-scale it has a row of its own, unless that says nothing: at
// scale 0, or without a negative prompt and a LoRA for it. `plan_picture` leaves it out then.
NegativeRow negative_row_of(const PictureOptions& options);

// What these LoRAs add to a picture: UNet rows and the text encoders of each branch.
std::shared_ptr<const PictureAdapters> picture_adapters(const std::vector<ActiveLora>& loras,
                                                        NegativeRow negative = NegativeRow::reference);

// Session::notices of all of them.
void say_notices(const Session& session, const std::vector<PictureOptions>& asked);

}  // namespace negativa
