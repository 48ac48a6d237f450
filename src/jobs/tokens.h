#pragma once
// `negativa tokens`: how a prompt is read by the tokenizers of a model.
#include "base/config.h"
#include "engine/engine.h"
#include "image/events.h"
#include "text/tokens_report.h"

namespace negativa {

struct TokensOptions {
  std::string model, weighting = "compel";
  std::optional<std::string> prompt;

  static void visit(auto& self, auto& v) {
    v("prompt", self.prompt, flag("-p,--prompt"), "the prompt to be read");
    v("model", self.model, flag("-m,--model"), "whose tokenizers; default: the bundled emoji-xl");
    v("weighting", self.weighting, choices({"compel", "none"}), "none: the text as it stands");
  }
};

// Throws ErrorKind::input without a prompt, and as find_model and load_tokenizers do. A notice says what is written in the
// webui's syntax.
TokensReport tokens(Engine& engine, const TokensOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
