#include <cstdio>

#include "io/models_folder.h"
#include "jobs/inspect_model.h"
#include "model_text.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct InspectOptions {
  std::string model;
  bool json = false;
  static void visit(auto& self, auto& v) {
    v("model", self.model, flag("-m,--model,MODEL"),
      "diffusers folder, SGM file or a name in $NEGATIVA_MODELS; default: the bundled emoji-xl");
    v("json", self.json, "as JSON");
  }
};
}  // namespace

int run_model_inspect(const Arguments& args) {
  InspectOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"model inspect", "parts, parameters, sizes, dtypes and hashes of a model", args}, fields)) return 0;
  const ModelReport report =
      inspect_model(options.model.empty() ? default_model() : find_model(options.model), &interrupt_token());
  std::printf("%s\n", (options.json ? json_of(report) : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
