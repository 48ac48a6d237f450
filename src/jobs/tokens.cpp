#include "jobs/tokens.h"

#include "io/models_folder.h"
#include "text/webui_syntax.h"

namespace negativa {

TokensReport tokens(Engine& engine, const TokensOptions& options, EventSink& events, const CancelToken& cancel) {
  cancel.throw_if_cancelled();
  check(options.prompt.has_value(), ErrorKind::input, "[-p] a prompt is needed; try -p \"a (big)++ lion\"");
  const auto path = model_or_default(options.model, engine.places());
  const bool grammar = options.weighting != "none";
  TokensReport report =
      tokens_report(load_tokenizers(path, engine.places()), *options.prompt, grammar ? Weighting::compel : Weighting::none);
  if (const auto line = webui_notice(std::vector{*options.prompt}, grammar); !line.empty()) events.on_notice(line);
  return report;
}

}  // namespace negativa
