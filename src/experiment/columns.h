#pragma once
// Columns of pictures side by side, without the rest of an experiment: the arm tables of a TOML, and options that are varied
// along axes. What `compare --arms` and `--axis` draw; the tables and axes are those of an experiment, read by the same code.
#include <string>
#include <utility>
#include <vector>

#include "experiment/experiment_file.h"

namespace negativa {

// Options over those of a picture, each with its value as JSON, checked by the option's own visit entry.
using Overrides = std::vector<std::pair<std::string, std::string>>;

// { same_as = "prompt" } takes the prompt that `draw` has.
void lay_over(DrawOptions& draw, const Overrides& overrides);

struct NamedArm {
  std::string name;
  Overrides overrides;
};

// A person's files that stand for what an experiment makes: values of --lora and --embedding. One stands for "wrong" where it is
// called so, or as a run folder names it (wrong-t0-1a2b3c4d.safetensors).
struct GivenFiles {
  std::vector<std::string> loras, embeddings;
};

// A TOML's arms: those with these names, in this order; all where there are none.
struct ChosenArms {
  Path path;
  std::vector<std::string> names;
};

struct ArmsFile {
  Path path;
  Overrides defaults;  // the TOML's model and [default]
  std::vector<NamedArm> arms;
  std::vector<size_t> used_loras, used_embeddings;  // by number in GivenFiles
  std::vector<std::string> notices;                 // what stands in the file and has no part in this, each one line
};
// Of the tables [default], [sets], [loras], [embeddings] and [arms]; a TOML with arms alone is enough. Paths stand resolved.
// Throws ErrorKind::input, file_format as read_experiment does, for a name that no arm has or that is given twice, and for an
// arm with a LoRA or embedding that the experiment makes and no given file stands for.
ArmsFile read_arms(const ChosenArms& chosen, const GivenFiles& given);

// Options varied together: every combination of their values.
struct CrossedAxes {
  struct Combination {
    std::string name;  // "cfg_scale=3,sampler=euler"
    Overrides overrides;
  };
  struct Value {
    std::string text;
    Overrides overrides;  // one
  };
  std::vector<std::string> options;
  std::vector<std::vector<Value>> values;  // of each option
  std::vector<Combination> combinations;   // none where there are no axes
};
// "OPTION=V1,V2,…" each, at most two. OPTION: a key of [arms.NAME] that an axis can have, with '-' or '_'; its beginning up to an
// underscore is enough where no other begins so. Values with commas stand in a list as TOML writes it: OPTION=["a, b", "c"]; one
// of `lora` may be a list itself. Throws ErrorKind::input in one line: no such option (the nearest is named), no values, one
// twice, an option twice …
CrossedAxes parse_axes(const std::vector<std::string>& texts);

}  // namespace negativa
