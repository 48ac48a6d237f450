#pragma once
// A small experiment as text, for tests that change one line of it.
#include <string>

#include "experiment/experiment_file.h"

namespace negativa::test {

inline constexpr const char* small_experiment = R"(seed = 1

[default]
steps = 2
cfg_scale = 4

[prompts]
test = [
  { prompt = "frog on a teal background", group = "animal" },
  "pizza on a red background",
]
tune = ["owl on a white background"]

[sets.wrong]
keywords = ["blurry", "ugly"]
cfg_scale = [4, 6]
caption = "wrong"

[loras.wrong]
set = "wrong"
steps = 3
rank = 2
checkpoints = [1, 2]

[loras.random]
random_of = "wrong"

[embeddings.bad]
set = "wrong"
steps = 2

# The arms.
[arms.nothing]

[arms.article]
negative_prompt = "wrong"
lora = ["wrong"]

[arms.embedded]
negative_prompt = "<bad>"
embedding = ["bad"]

[arms.random]
negative_prompt = "wrong"
lora = ["random:1:negative"]
)";

// small_experiment with one part of its text exchanged.
inline std::string with_text(const std::string& from, const std::string& to, std::string text = small_experiment) {
  const auto at = text.find(from);
  if (at == std::string::npos) throw std::logic_error("the experiment has no " + from);
  return text.replace(at, from.size(), to);
}
inline std::string with_more(const std::string& more) { return small_experiment + more; }

inline ExperimentFile parsed(const std::string& text) { return parse_experiment(text, "x.toml"); }

}  // namespace negativa::test
