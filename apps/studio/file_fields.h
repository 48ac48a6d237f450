#pragma once
// Which settings name files, and what a request may name: things below the studio's roots, never paths. docs/studio.md, "Names".
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "library/library.h"
#include "library/roots.h"
#include "verbs.h"

namespace negativa::studio {

enum class FileUse {
  none,       // no file
  model,      // a model's name, or ROOT/NAME
  vae,        // likewise
  lora,       // NAME[:WEIGHT[:BRANCH]]
  embedding,  // FILE[=NAME]
  input,      // ROOT/NAME of a file or folder
  output,     // a plain file name: it is written into the job's own folder
  refused,    // not taken over HTTP
};

// Absent: nothing is known of a setting that is a text or a path; such a one is refused until it is listed here.
std::optional<FileUse> use_of(const Verb& verb, const Field& field);

// Names of what lies in the roots, for settings of that use.
struct Names {
  const Roots& roots;

  // The path of a model, VAE, LoRA or embedding by its plain name or as ROOT/NAME. Throws ErrorKind::input as Roots::resolve
  // does.
  std::filesystem::path find(FileUse use, const std::string& name, const std::string& where) const;
  // "NAME:0.5" with the name's path instead.
  std::string with_path(FileUse use, const std::string& text, const std::string& where) const;
};

struct JobPlace {
  const Library& library;
  uint64_t job;  // its number; 0: it is only asked about, and writes nothing
};

// Puts paths where the fields have names, and the job's own folders where it writes. Throws ErrorKind::input naming the setting.
void set_paths(const Verb& verb, Fields& fields, const Names& names, const JobPlace& place);

bool makes_run(const Verb& verb);  // an experiment's
// The name of an experiment's run: its TOML's.
void set_run_name(const Verb& verb, Json& options);
// The name under which a job that makes a LoRA or embedding writes it; set in `options` where it is absent.
void set_out_name(const Verb& verb, Json& options, uint64_t job);

}  // namespace negativa::studio
