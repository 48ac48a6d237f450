#pragma once
// An experiment's TOML with a table of every kind.
#include <string>

namespace negativa::test {

inline constexpr const char* small_experiment = R"(# An experiment.
seed = 7
replicates = 2

[default]
steps = 4  # few
cfg_scale = 4

[prompts]
test = [
  { prompt = "frog on a teal background", group = "animals" },
  { prompt = "pizza on a red background", group = "food" },
]
tune = ["owl on a red background"]

# What is trained on.
[sets.wrong]
keywords = ["blurry", "ugly"]
cfg_scale = [4, 6]
caption = "wrong"

[loras.wrong]
set = "wrong"
steps = 20
checkpoints = [10]

[loras.random]
random_of = "wrong"

[loras.both]
merge = ["wrong:0.5", "random:-1"]

[embeddings.wrong]
set = "wrong"
steps = 20

[arms.nothing]

[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]

[arms.mixed]
lora = ["both:0.5:negative", "wrong@10"]
negative_prompt = { same_as = "prompt" }

[arms.word]
negative_prompt = "<wrong>"
embedding = ["wrong"]
cfg_scale = 5

[sweeps.cfg]
arms = ["nothing", "article"]
cfg_scale = [4, 8]

[tune]
arm = "article"
prompts = 1
weight = [0.5, 1]
steps = [10, 20]

[analysis]
primary = "article - nothing"
)";

// With one of its parts replaced, at the first place where it stands.
inline std::string small_experiment_with(const std::string& from, const std::string& to) {
  std::string text = small_experiment;
  return text.replace(text.find(from), from.size(), to);  // throws where it stands nowhere
}

}  // namespace negativa::test
