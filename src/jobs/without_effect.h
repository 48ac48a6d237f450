#pragma once
// What was given and does nothing, each one line. Where the picture is still the one asked for it is a notice, else an error.
#include <set>
#include <span>

#include "engine/session.h"
#include "train/training.h"

namespace negativa {

struct AskedPicture {
  const PictureOptions& options;  // as asked for, before the model's defaults are filled in
  const Plan& plan;               // and what came of it
};

// Each line once, however many pictures have it. `typed`: names of options that count as given even at their default. Throws
// ErrorKind::input.
std::vector<std::string> without_effect(const Session& session, std::span<const AskedPicture> pictures,
                                        const std::set<std::string>& typed);

// The same for a training.
std::vector<std::string> without_effect(const TrainLoraOptions& options);
std::vector<std::string> without_effect(const TrainEmbeddingOptions& options);

// Names of the options that were typed.
std::set<std::string> typed_names(const Fields& fields);

// Says all of it in notices, and where prompts have syntax of the webui's (text/webui_syntax.h).
void note_asked(const Session& session, std::span<const AskedPicture> pictures, const std::set<std::string>& typed);
// The webui's syntax in their texts alone.
void note_webui_syntax(const Session& session, std::span<const AskedPicture> pictures);

// The webui's syntax in what a training reads. An embedding's name is none, whatever it looks like.
struct EmbeddingName {
  std::string name;
  std::vector<std::string> captions;  // made for it
};
void note_training_texts(const Training& training, const TrainOptions& options, EventSink& events,
                         const EmbeddingName& name = {});

}  // namespace negativa
