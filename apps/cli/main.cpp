#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <new>

#include "base/end_program.h"
#include "base/error.h"
#include "base/files.h"
#include "base/recipe.h"
#include "base/text.h"
#include "interrupt.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct Verb {
  const char* words;  // one or two
  const char* help;
  int (*run)(const Arguments& args);
};

constexpr Verb verbs[] = {
    {"generate", "draws pictures", run_generate},
    {"compare", "nothing, the negative word, LoRA and word: side by side at the same seeds", run_compare},
    {"tokens", "how a prompt is read: ids, pieces, weights", run_tokens},
    {"model inspect", "parts, parameters, sizes, dtypes and hashes of a model", run_model_inspect},
    {"model convert", "a model or any file of tensors as safetensors", run_model_convert},
    {"lora inspect", "what is in a LoRA file and whether it fits a model", run_lora_inspect},
    {"train lora", "learns a LoRA from a folder of pictures", run_train_lora},
    {"train embedding", "learns a word for the pictures of a folder (textual inversion)", run_train_embedding},
    {"lora convert", "the same LoRA in another dialect: diffusers, kohya, peft", run_lora_convert},
    {"lora merge", "several LoRAs as one, and how they interfere", run_lora_merge},
    {"lora bake", "a model with LoRAs in its weights", run_lora_bake},
    {"score", "measures pictures, and whether those of another folder are better", run_score},
    {"experiment run", "an experiment's wrong pictures, LoRAs, arms and measurements; goes on where it was stopped",
     run_experiment_run},
    {"experiment tune", "chooses among an experiment's candidates on prompts that give no verdict", run_experiment_tune},
    {"experiment status", "how far a run has come", run_experiment_status},
    {"experiment report", "a run's page: verdict, pictures, plots, tables; rebuilt from its records alone",
     run_experiment_report},
    {"experiment next", "trains an arm's LoRA on what was rejected of its pictures, round after round", run_experiment_next},
    {"experiment pairs", "which of two pictures was preferred, as JSONL for trainers", run_experiment_pairs},
    {"experiment diff", "whether two runs are equal, byte for byte", run_experiment_diff},
    {"rate", "people judge: two pictures from two arms, which is better? without knowing whose they are", run_rate},
    {"studio", "the studio's page and API on this machine", run_studio},
    {"doctor", "what this machine has and what fits on it", run_doctor},
    {"version", "which program and libraries these are", run_version},
};

// Exit codes: something given is wrong, the machine failed, interrupted.
constexpr int exit_wrong_input = 2, exit_machine = 1, exit_interrupted = 130;

int exit_code(ErrorKind kind) {
  if (kind == ErrorKind::cancelled) return exit_interrupted;
  return kind == ErrorKind::machine || kind == ErrorKind::device ? exit_machine : exit_wrong_input;
}

// Five lines that work when pasted, with the program as it was called.
int print_examples(const std::string& program) {
  for (const char* rest :
       {"generate -p \"a big lion\" -o lion.png",
        "generate -p \"frog on a white background\" -n \"blurry, watermark\" -s 7 -o frog.png",
        "generate -p \"red apple on a blue background\" --steps 25 --cfg-scale 5 --batch-count 4 -o apples.png",
        "generate -p \"pizza next to volcano on a teal background\" -s 1 -o pizza.png --show", "generate --help"})
    std::printf("%s %s\n", program.c_str(), rest);
  return 0;
}

int print_verbs() {
  std::printf("negativa %s: a Stable Diffusion XL studio\n\n", Recipe::default_program_version().c_str());
  for (const auto& verb : verbs) std::printf("  negativa %-17s %s\n", verb.words, verb.help);
  std::printf("\nnegativa VERB --help shows every option; negativa alone shows five lines to try.\n");
  return 0;
}

// What may follow the first word of verbs of two: "run", "status" … after "experiment".
std::vector<std::string> second_words(const std::string& first) {
  std::vector<std::string> words;
  for (const auto& verb : verbs)
    if (const std::string name = verb.words; name.starts_with(first + " ")) words.push_back(name.substr(first.size() + 1));
  return words;
}

int run_verb(const Arguments& args) {
  std::vector<std::string> names;
  for (const auto& verb : verbs) {
    names.push_back(verb.words);
    const auto words = names.back().find(' ') == std::string::npos ? 1 : 2;
    if (args.size() >= static_cast<size_t>(words) && joined(std::span(args).first(words), " ") == verb.words)
      return verb.run(Arguments(args.begin() + words, args.end()));
  }
  const auto seconds = second_words(args[0]);
  if (seconds.empty()) {
    const auto of_two = args.size() > 1 ? did_you_mean(args[0] + " " + args[1], names) : "";
    const auto hint = of_two.empty() ? did_you_mean(args[0], names) : of_two;
    fail(ErrorKind::input, "got the unknown verb \"{}\"{}", args[0], hint.empty() ? "; negativa --help lists them" : hint);
  }
  check(args.size() > 1, ErrorKind::input, "got the unknown verb \"{}\"; did you mean {} {}?", args[0], args[0], seconds.front());
  const auto nearest = nearest_name(args[1], seconds);
  fail(ErrorKind::input, "[{}] got \"{}\", expected one of {}{}", args[0], args[1], joined(seconds, ", "),
       nearest ? fmt::format("; did you mean {} {}?", args[0], *nearest) : "");
}

int run(const std::string& program, const Arguments& args) {
  if (args.empty()) return print_examples(program);
  if (args[0] == "--help" || args[0] == "-h" || args[0] == "help") return print_verbs();
  if (args[0] == "--version") return run_version({});
  return run_verb(args);
}

int report(const char* message, int code) {
  const std::string_view text = message;  // libraries append stack traces; the first line says it
  write_to_stderr("negativa: " + std::string(text.substr(0, text.find('\n'))) + "\n", true);
  return code;
}

}  // namespace

int main_with_errors(const std::string& program, const Arguments& args) {
  try {
    const int code = run(program, args);
    if (std::fflush(stdout) != 0 || std::ferror(stdout))
      return report("results cannot be written to stdout; is the disk full?", exit_machine);
    return code;
  } catch (const Error& error) {
    return report(error.what(), exit_code(error.kind()));
  } catch (const std::bad_alloc&) {
    return report("out of memory; try a smaller picture, batch or model", exit_machine);
  } catch (const std::filesystem::filesystem_error& error) {
    // A name that leads nowhere: a link to itself, one that is too long.
    const bool is_name = error.code() == std::errc::too_many_symbolic_link_levels || error.code() == std::errc::filename_too_long;
    return report(fmt::format("[{}] cannot be used: {}", error.path1().string(), error.code().message()).c_str(),
                  is_name ? exit_code(ErrorKind::input) : exit_machine);
  } catch (const std::exception& error) {
    return report(error.what(), exit_machine);
  }
}

}  // namespace negativa::cli

int main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is then a failed write, which has its one-line error
  negativa::install_bus_error_handler();
  negativa::cli::install_interrupt_handler(negativa::cli::interrupt_token());
  negativa::end_program(negativa::cli::main_with_errors(argc > 0 ? argv[0] : "negativa",
                                                        negativa::cli::Arguments(argv + std::min(argc, 1), argv + argc)));
}
