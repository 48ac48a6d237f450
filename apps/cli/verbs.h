#pragma once
// One function a verb, one file a function. It gets what follows the verb, prints results on stdout and throws Error.
#include <string>
#include <vector>

namespace negativa::cli {

using Arguments = std::vector<std::string>;

int run_generate(const Arguments& args);
int run_compare(const Arguments& args);
int run_tokens(const Arguments& args);
int run_model_inspect(const Arguments& args);
int run_model_convert(const Arguments& args);
int run_lora_inspect(const Arguments& args);
int run_lora_convert(const Arguments& args);
int run_lora_merge(const Arguments& args);
int run_lora_bake(const Arguments& args);
int run_doctor(const Arguments& args);
int run_train_lora(const Arguments& args);
int run_train_embedding(const Arguments& args);
int run_experiment_run(const Arguments& args);
int run_experiment_tune(const Arguments& args);
int run_experiment_next(const Arguments& args);
int run_experiment_pairs(const Arguments& args);
int run_experiment_report(const Arguments& args);
int run_experiment_status(const Arguments& args);
int run_experiment_diff(const Arguments& args);
int run_rate(const Arguments& args);
int run_score(const Arguments& args);
int run_studio(const Arguments& args);
int run_version(const Arguments& args);

}  // namespace negativa::cli
