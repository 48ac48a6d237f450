#include <cstdio>

#include "base/log.h"
#include "io/models_folder.h"
#include "options.h"
#include "text/tokens_report.h"
#include "text/webui_syntax.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct TokensOptions {
  std::string model, weighting = "compel";
  std::optional<std::string> prompt;
  bool json = false;
  static void visit(auto& self, auto& v) {
    v("prompt", self.prompt, flag("-p,--prompt"), "the prompt to be read");
    v("model", self.model, flag("-m,--model"), "whose tokenizers; default: the bundled emoji-xl");
    v("weighting", self.weighting, choices({"compel", "none"}), "none: the text as it stands");
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_tokens(const Arguments& args) {
  TokensOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"tokens", "how a prompt is read: ids, pieces, weights", args}, fields)) return 0;
  check(options.prompt.has_value(), ErrorKind::input, "[-p] a prompt is needed; try -p \"a (big)++ lion\"");
  const auto path = options.model.empty() ? default_model() : find_model(options.model);
  const bool grammar = options.weighting != "none";
  const TokensReport report =
      tokens_report(load_tokenizers(path), *options.prompt, grammar ? Weighting::compel : Weighting::none);
  std::printf("%s", (options.json ? tokens_json(report) : tokens_table(report)).c_str());
  if (const auto line = webui_notice(std::vector{*options.prompt}, grammar); !line.empty()) notice("{}", line);
  return 0;
}

}  // namespace negativa::cli
