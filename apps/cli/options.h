#pragma once
// The command line of one verb, bound to its settings.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/config.h"

namespace negativa::cli {

// What every verb that computes takes.
struct CommonOptions {
  Path config;
  bool print_config = false, dry_run = false, quiet = false, json = false;
  static void visit(auto& self, auto& v) {
    v("config", self.config, "TOML file with any of these settings; what is typed here wins over it");
    v("print_config", self.print_config, "show each value and where it came from, then stop");
    v("dry_run", self.dry_run, "show the plan with predicted memory and time, then stop");
    v("quiet", self.quiet, flag("-q,--quiet"), "no progress and no notices");
    v("json", self.json, "results as JSON");
  }
};

struct CommandLine {
  std::string verb;               // "lora inspect"
  std::string summary;            // one line
  std::vector<std::string> args;  // what follows the verb
  // The file of a name that --preset gives; absent: the verb has no such option.
  std::function<std::filesystem::path(const std::string&)> preset_file = {};
  std::vector<std::string> preset_names = {};  // that it knows, for --help
};

// Sets the verb's fields from the flags, from --config and, where that has not, from --preset, and obeys --quiet. False: --help
// was printed and there is nothing to do. Sources that rank below these, such as the model's files, may be set afterwards. Throws
// ErrorKind::input in one line.
[[nodiscard]] bool parse_command_line(const CommandLine& line, Fields& fields, CommonOptions& common);

// For a verb that takes none of the common options.
[[nodiscard]] bool parse_command_line(const CommandLine& line, Fields& fields);

}  // namespace negativa::cli
