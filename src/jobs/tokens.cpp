#include "jobs/tokens.h"

#include "base/log.h"
#include "io/models_folder.h"
#include "text/webui_syntax.h"

namespace negativa {

TokensReport tokens(const TokensOptions& options) {
  check(options.prompt.has_value(), ErrorKind::input, "[-p] a prompt is needed; try -p \"a (big)++ lion\"");
  const auto path = options.model.empty() ? default_model() : find_model(options.model);
  const bool grammar = options.weighting != "none";
  TokensReport report = tokens_report(load_tokenizers(path), *options.prompt, grammar ? Weighting::compel : Weighting::none);
  if (const auto line = webui_notice(std::vector{*options.prompt}, grammar); !line.empty()) notice("{}", line);
  return report;
}

}  // namespace negativa
