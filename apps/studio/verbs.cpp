#include "verbs.h"

#include <algorithm>

#include "base/json.h"
#include "doctor_text.h"
#include "forecast_text.h"
#include "jobs/compare_cells.h"
#include "jobs/lora_inspect.h"
#include "jobs/model_convert.h"
#include "jobs/tokens.h"
#include "jobs/train_embedding.h"
#include "jobs/train_lora.h"
#include "jobs/without_effect.h"
#include "lora_inspect_text.h"
#include "lora_merge_text.h"
#include "model_text.h"
#include "report_json.h"
#include "score_text.h"
#include "tokens_text.h"
#include "verb_of.h"

namespace negativa::studio {

namespace {

// Which of the two sides is at fault.
const char* field_of_size(const Models& models, PictureOptions picture) {
  picture.height.reset();
  try {
    plan_picture(models, picture);
  } catch (const Error&) {
    return "width";
  }
  return "height";
}

// What the model refuses is said when it is asked for. Pictures of a file of prompts are checked when they are drawn.
void check_picture(const GenerateOptions& options, Engine& engine) {
  if (!options.output.prompts.empty()) return;
  PictureOptions picture = options.picture;
  if (!picture.seed) picture.seed = 0;
  const auto models = engine.open(model_request(options.model, engine.places()));
  try {
    plan_picture(*models, picture);
  } catch (const Error& error) {
    const std::string_view message = error.what();
    if (!message.starts_with("[size] ")) throw;
    fail(error.kind(), "[{} in request] {}", field_of_size(*models, picture), message.substr(7));
  }
}

Verb generate_verb() {
  Actions<GenerateOptions> actions;
  actions.prepare = [](GenerateOptions& options, Fields& fields, const Running& running) {
    if (!options.output.from.empty())
      for (const auto& line : set_from_picture(fields, options, running.engine, &running.cancel)) running.events.on_notice(line);
    remember_choices(fields, options.picture);
    options.typed = typed_names(fields);
    for (const char* given : {"out", "seed"}) options.typed.erase(given);  // which the studio gives
    check_picture(options, running.engine);
  };
  actions.run = [](const GenerateOptions& options, const Running& running) {
    return cli::json_of(generate(running.engine, options, running.events, running.cancel));
  };
  actions.forecast = [](const GenerateOptions& options, const Running& running) {
    return parsed(cli::json_of(forecast_generate(running.engine, options, running.events, running.cancel)));
  };
  return verb("generate", "draws pictures", Lane::draw, actions);
}

Verb compare_verb() {
  Actions<CompareOptions> actions;
  actions.prepare = [](CompareOptions& options, Fields& fields, const Running& running) {
    remember_choices(fields, options.picture);
    options.typed = typed_names(fields);
    options.typed.erase("out");
    EventSink silence;  // what it notices is the job's to say
    make_comparison(running.engine, options, {silence, running.cancel});
  };
  actions.run = [](const CompareOptions& options, const Running& running) {
    return cli::json_of(compare(running.engine, options, running.events, running.cancel));
  };
  actions.forecast = [](const CompareOptions& options, const Running& running) {
    return parsed(cli::json_of(forecast_compare(running.engine, options, running.events, running.cancel)));
  };
  return verb("compare", "nothing, the negative word, LoRA and word: side by side at the same seeds", Lane::draw, actions);
}

Verb score_verb() {
  Actions<ScoreOptions> actions;
  actions.prepare = [](const ScoreOptions& options, Fields&, const Running&) {
    check(!options.folder.empty() || options.calibrate, ErrorKind::input,
          "[folder in request] is needed, expected a folder of pictures as pictures/000001");
    for (const auto& folder : options.folder) {
      std::error_code error;
      const std::filesystem::directory_iterator files(folder, error);
      check(!error && std::any_of(begin(files), end(files), [](const auto& file) { return has_picture_name(file.path()); }),
            ErrorKind::input, "[folder in request] {} has no pictures, expected PNG, JPEG or WebP files", folder);
    }
  };
  actions.run = [](const ScoreOptions& options, const Running& running) {
    return parsed(cli::json_of(score(running.engine, options, running.events, running.cancel)));
  };
  return verb("score", "measures pictures, and whether those of another folder are better", Lane::draw, actions);
}

void check_has_data(const Path& data) {
  check(!data.empty(), ErrorKind::input, "[data in request] is needed, expected a folder of pictures as pictures/000001");
}

Verb train_lora_verb() {
  Actions<TrainLoraOptions> actions;
  actions.prepare = [](const TrainLoraOptions& options, Fields&, const Running&) {
    check_has_data(options.data.data);
    check(!options.data.prompt.empty() || options.data.captions, ErrorKind::input,
          "[prompt in request] is needed for the pictures, expected a text as \"wrong\", or captions");
  };
  actions.run = [](const TrainLoraOptions& options, const Running& running) {
    return cli::json_of(train_lora(running.engine, {options, running.config_toml}, running.events, running.cancel));
  };
  actions.forecast = [](const TrainLoraOptions& options, const Running& running) {
    return parsed(cli::json_of(forecast_train_lora(running.engine, options, running.events, running.cancel)));
  };
  return verb("train lora", "learns a LoRA from a folder of pictures", Lane::train, actions);
}

Verb train_embedding_verb() {
  Actions<TrainEmbeddingOptions> actions;
  actions.prepare = [](const TrainEmbeddingOptions& options, Fields&, const Running&) { check_has_data(options.data.data); };
  actions.run = [](const TrainEmbeddingOptions& options, const Running& running) {
    return cli::json_of(train_embedding(running.engine, {options, running.config_toml}, running.events, running.cancel));
  };
  actions.forecast = [](const TrainEmbeddingOptions& options, const Running& running) {
    return parsed(cli::json_of(forecast_train_embedding(running.engine, options, running.events, running.cancel)));
  };
  return verb("train embedding", "learns a word for the pictures of a folder (textual inversion)", Lane::train, actions);
}

Verb lora_convert_verb() {
  Actions<LoraConvertOptions> actions;
  actions.run = [](const LoraConvertOptions& options, const Running& running) {
    return cli::json_of(lora_convert(running.engine, options, running.events, running.cancel), false);
  };
  actions.forecast = [](const LoraConvertOptions& options, const Running& running) {
    return cli::json_of(plan_lora_convert(running.engine, options, running.events, running.cancel), true);
  };
  return verb("lora convert", "the same LoRA in another dialect: diffusers, kohya, peft", Lane::files, actions);
}

Verb lora_merge_verb() {
  Actions<LoraMergeOptions> actions;
  actions.run = [](const LoraMergeOptions& options, const Running& running) {
    return parsed(cli::json_of(lora_merge(running.engine, options, running.events, running.cancel)));
  };
  actions.forecast = [](const LoraMergeOptions& options, const Running& running) {
    return parsed(cli::json_of(plan_lora_merge(running.engine, options, running.events, running.cancel)));
  };
  return verb("lora merge", "several LoRAs as one, and how they interfere", Lane::files, actions);
}

Verb lora_bake_verb() {
  Actions<LoraBakeOptions> actions;
  actions.run = [](const LoraBakeOptions& options, const Running& running) {
    return cli::json_of(lora_bake(running.engine, options, running.events, running.cancel));
  };
  actions.forecast = [](const LoraBakeOptions& options, const Running& running) {
    return cli::json_of(plan_lora_bake(running.engine, options, running.events, running.cancel));
  };
  return verb("lora bake", "a model with LoRAs in its weights", Lane::files, actions);
}

Verb model_convert_verb() {
  Actions<ModelConvertOptions> actions;
  actions.run = [](const ModelConvertOptions& options, const Running& running) {
    return cli::json_of(model_convert(running.engine, options, running.events, running.cancel));
  };
  actions.forecast = [](const ModelConvertOptions& options, const Running& running) {
    return cli::json_of(plan_model_convert(running.engine, options, running.events, running.cancel));
  };
  return verb("model convert", "a model, or what torch.save wrote, as safetensors", Lane::files, actions);
}

struct NoOptions {
  static void visit(auto&, auto&) {}
};

std::vector<Verb> asking_verbs() {
  Actions<TokensOptions> tokens_actions;
  tokens_actions.run = [](const TokensOptions& options, const Running& running) {
    return parsed(cli::json_of(tokens(running.engine, options, running.events, running.cancel)));
  };
  Actions<ModelInspectOptions> model_actions;
  model_actions.run = [](const ModelInspectOptions& options, const Running& running) {
    return parsed(cli::json_of(model_inspect(running.engine, options, running.events, running.cancel)));
  };
  Actions<LoraInspectOptions> lora_actions;
  lora_actions.run = [](const LoraInspectOptions& options, const Running& running) {
    return parsed(cli::json_of(lora_inspect(running.engine, options, running.events, running.cancel)));
  };
  Actions<NoOptions> doctor_actions;
  doctor_actions.run = [](const NoOptions&, const Running& running) {
    return parsed(cli::json_of(doctor(running.engine, {}, running.events, running.cancel)));
  };
  return {verb("tokens", "how a prompt is read: ids, pieces, weights", Lane::ask, tokens_actions),
          verb("model inspect", "parts, parameters, sizes, dtypes and hashes of a model", Lane::ask, model_actions),
          verb("lora inspect", "what is in a LoRA file and whether it fits a model", Lane::ask, lora_actions),
          verb("doctor", "what this machine has and what fits on it", Lane::ask, doctor_actions)};
}

}  // namespace

std::string Verb::path_name() const {
  std::string path = name;
  std::replace(path.begin(), path.end(), ' ', '-');
  return path;
}

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = [] {
    std::vector<Verb> list = {generate_verb(),   compare_verb(),         score_verb(),
                              train_lora_verb(), train_embedding_verb(), lora_convert_verb(),
                              lora_merge_verb(), lora_bake_verb(),       model_convert_verb()};
    for (auto& more : {asking_verbs(), experiment_verbs()}) list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return all;
}

const Verb* find_verb(const std::string& name) {
  for (const auto& verb : verbs())
    if (verb.name == name || verb.path_name() == name) return &verb;
  return nullptr;
}

}  // namespace negativa::studio
