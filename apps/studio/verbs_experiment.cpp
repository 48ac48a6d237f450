// The jobs of an experiment: its TOML is one of the studio's roots, its runs lie in the library.
#include <algorithm>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "experiment/experiment_file.h"
#include "experiment_text.h"
#include "jobs/experiment.h"
#include "jobs/experiment_notices.h"
#include "rejects.h"
#include "verb_of.h"

namespace negativa::studio {

namespace {

namespace fs = std::filesystem;

constexpr const char* file_help = "the experiment's TOML";

struct RunOptions {
  Path file, out;
  bool update = false;

  static void visit(auto& self, auto& v) {
    v("file", self.file, file_help);
    v("out", self.out, "the run's name; default: the TOML's. A run of that name goes on");
    v("update", self.update, "takes a TOML over that differs from the one the run began with");
  }
};

struct TuneOptions {
  Path file, out;

  static void visit(auto& self, auto& v) {
    v("file", self.file, "the experiment's TOML, into which the choice is written");
    v("out", self.out, "the name of the tuning's own run; default: the TOML's and -tune");
  }
};

struct StatusOptions {
  Path run;

  static void visit(auto& self, auto& v) { v("run", self.run, "the run"); }
};

struct DiffOptions {
  Path first, second;

  static void visit(auto& self, auto& v) {
    v("first", self.first, "a run");
    v("second", self.second, "another");
  }
};

void check_given(const Path& path, const char* field, const char* expected) {
  check(!path.empty(), ErrorKind::input, "[{} in request] is needed, expected {}", field, expected);
}

constexpr const char* toml_example = "a TOML file as experiments/wrong/demo.toml";
constexpr const char* run_example = "a run as runs/demo";

// A text of the TOML may name a file beside it, with what options hang behind it (":1:negative", "=NAME", "@100").
void check_text(const std::string& text, const Path& toml, const Roots& roots) {
  const auto check_there = [&](const std::string& name) {
    std::error_code ignored;
    if (name.empty()) return;
    for (const Path& path : {toml.parent_path() / name, fs::absolute(Path(name), ignored)})
      if (fs::exists(path, ignored)) roots.check_holds(path, "file in request");
  };
  check_there(text);
  for (size_t at = text.find_first_of(":=@"); at != std::string::npos; at = text.find_first_of(":=@", at + 1))
    check_there(text.substr(0, at));
}

void check_texts(const Json& json, const Path& toml, const Roots& roots) {
  if (json.is_string()) check_text(json.get<std::string>(), toml, roots);
  if (json.is_structured())
    for (const auto& element : json) check_texts(element, toml, roots);
}

// Throws what is wrong with the request's file as an error of that setting.
template <class Work>
auto about_file(const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.starts_with("[file in request]") || error.kind() == ErrorKind::cancelled) throw;
    throw Error(error.kind(), "[file in request] " + message);
  }
}

// Nothing that lies outside the roots is opened on a TOML's behalf.
ExperimentFile checked_file(const Path& toml, const Running& running) {
  check_given(toml, "file", toml_example);
  return about_file([&] {
    constexpr uint64_t most_bytes = 16 << 20;
    check(!fs::is_directory(toml), ErrorKind::input, "[file in request] is a folder, expected {}", toml_example);
    check_texts(parse_toml(read_file(toml, most_bytes), toml.string()), toml, *running.roots);
    ExperimentFile file = read_experiment(toml);
    EventSink silence;  // what it notices is the job's to say
    experiment_notices(running.engine, file, {silence, running.cancel});
    return file;
  });
}

// A run that was begun with another TOML.
void check_same(const RunOptions& options, const ExperimentFile& file) {
  std::error_code ignored;
  if (options.update || !fs::exists(options.out / names::plan_file, ignored)) return;
  EventSink silence;
  const RunStore store = RunStore::open(options.out, silence);
  const std::string difference = store.frozen() ? first_difference(store.frozen()->config_json, file) : "";
  check(difference.empty(), ErrorKind::input,
        "[file in request] differs from what the run \"{}\" began with at {}; name another run as out, or set update",
        options.out.filename().string(), difference);
}

ExperimentRunRequest request_of(const RunOptions& options) {
  ExperimentRunRequest request;
  request.options.file = options.file;
  request.options.out = options.out;
  request.options.update = options.update;
  return request;
}

Verb run_verb() {
  Actions<RunOptions> actions;
  actions.prepare = [](const RunOptions& options, Fields&, const Running& running) {
    check_same(options, checked_file(options.file, running));
  };
  actions.run = [](const RunOptions& options, const Running& running) {
    return parsed(cli::json_of(experiment_run(running.engine, request_of(options), running.events, running.cancel)));
  };
  actions.forecast = [](const RunOptions& options, const Running& running) {
    return parsed(cli::json_of(forecast_experiment_run(running.engine, request_of(options), running.events, running.cancel)));
  };
  return verb("experiment run", "draws, trains and measures what an experiment's TOML asks for and is missing", Lane::train,
              actions);
}

Verb tune_verb() {
  Actions<TuneOptions> actions;
  actions.prepare = [](const TuneOptions& options, Fields&, const Running& running) {
    const ExperimentFile file = checked_file(options.file, running);
    const std::string root = running.roots->reference_of(options.file);
    check(!root.starts_with("experiments/"), ErrorKind::input,
          "[file in request] came with the program and stays as it is; copy it into a folder of yours (--folder)");
    about_file([&] { return tuning_experiment(file); });
  };
  actions.run = [](const TuneOptions& options, const Running& running) {
    return parsed(cli::json_of(experiment_tune(running.engine, options.file, options.out, running.events, running.cancel)));
  };
  actions.forecast = [](const TuneOptions& options, const Running& running) {
    return parsed(
        cli::json_of(forecast_experiment_tune(running.engine, options.file, options.out, running.events, running.cancel)));
  };
  return verb("experiment tune", "chooses among an experiment's candidates on prompts.tune by judge_select", Lane::train,
              actions);
}

Verb report_verb() {
  Actions<ExperimentReportOptions> actions;
  actions.prepare = [](const ExperimentReportOptions& options, Fields&, const Running&) {
    check_given(options.run, "run", run_example);
    EventSink silence;
    check(RunStore::open(options.run, silence).frozen().has_value(), ErrorKind::input,
          "[run in request] has no plan yet; an experiment-run begins it");
  };
  actions.run = [](const ExperimentReportOptions& options, const Running& running) {
    return parsed(cli::json_of(experiment_report(running.engine, options, running.events, running.cancel)));
  };
  return verb("experiment report", "a run's page, rebuilt from its records alone", Lane::files, actions);
}

Verb status_verb() {
  Actions<StatusOptions> actions;
  actions.run = [](const StatusOptions& options, const Running& running) {
    check_given(options.run, "run", run_example);
    return parsed(cli::json_of(experiment_status(running.engine, options.run, running.events, running.cancel)));
  };
  return verb("experiment status", "how far a run has come, by stage and arm", Lane::ask, actions);
}

Verb diff_verb() {
  Actions<DiffOptions> actions;
  actions.run = [](const DiffOptions& options, const Running& running) {
    check_given(options.first, "first", run_example);
    check_given(options.second, "second", run_example);
    return parsed(cli::json_of(experiment_diff(running.engine, options.first, options.second, running.events, running.cancel)));
  };
  return verb("experiment diff", "whether two runs have the same pictures, LoRAs and metrics, byte for byte", Lane::ask, actions);
}

Path root_folder(const Running& running, const char* name) {
  for (const auto& root : running.roots->roots())
    if (root.name == name) return root.folder;
  fail(ErrorKind::input, "[studio] there is no folder \"{}\" here", name);
}

// A model of the user's is known by name, as in a TOML that a person writes.
std::string model_name(const std::string& model, const Running& running) {
  for (const auto& root : running.roots->roots())
    if (root.name == "models" && Path(model).parent_path() == root.folder) return Path(model).filename().string();
  return model;
}

// A name of its own: of the TOML and of the run.
std::string name_of(const RejectsOptions& options) {
  const std::string name = options.name.empty() ? "rejects" : options.name;
  const bool plain = name.size() <= 80 && !name.starts_with('.') && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return c > 0x20 && c != '/' && c != '\\' && c != 0x7f;
                     });
  check(plain, ErrorKind::input, "[name in request] got {}, expected a plain name without spaces as rejects", json_excerpt(name));
  return name;
}

// Writes the TOML beside the library's sets. One that a run began with stays as it is.
Json make_rejects_experiment(const RejectsOptions& options, const Running& running) {
  check_given(options.data, "data", "a set of pictures as files/sets/rejects");
  const std::string name = name_of(options);
  const Path stock = root_folder(running, "experiments") / "wrong", folder = root_folder(running, "files") / "experiments";
  const Path toml = folder / (name + ".toml");
  const auto beside = [&](const Path& path) { return path.empty() ? "" : path.lexically_relative(folder).string(); };
  RejectsOptions named = options;
  named.model = model_name(options.model, running);
  const std::string text = rejects_toml(named, beside(options.data), beside(options.judge),
                                        {read_file(stock / "demo.toml"), read_file(stock / "prompts_tune.jsonl")});
  std::error_code ignored;
  const bool has_run = fs::exists(root_folder(running, "runs") / name / names::plan_file, ignored);
  check(!has_run || !fs::exists(toml) || read_file(toml) == text, ErrorKind::input,
        "[name in request] there is a run \"{}\" that began with other settings; choose another name", name);
  make_folder(folder);
  write_atomically(toml, text);
  checked_file(toml, running);
  return {{"file", running.roots->reference_of(toml)}, {"out", name}};
}

Verb rejects_verb() {
  Actions<RejectsOptions> actions;
  actions.run = make_rejects_experiment;
  return verb("experiment rejects", "writes the TOML of the stock experiment for pictures of your own", Lane::ask, actions);
}

}  // namespace

std::vector<Verb> experiment_verbs() {
  return {run_verb(), tune_verb(), report_verb(), status_verb(), diff_verb(), rejects_verb()};
}

}  // namespace negativa::studio
