#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdio>

#include "base/error.h"
#include "base/text.h"
#include "stderr.h"

namespace negativa::cli {

namespace {

struct BoundField {
  Field* field;
  CLI::Option* option;
};

// Raw texts are taken from CLI11, which would read brackets and "{}" in them as lists; conversion and checks are the fields' own.
std::vector<BoundField> bind(CLI::App& app, Fields& fields) {
  std::vector<BoundField> bound;
  for (auto& field : fields) {
    CLI::Option* option = nullptr;
    if (field.is_bool()) {
      option = app.add_flag(field.flags);
    } else {
      option = app.add_option(field.flags, [](const CLI::results_t&) { return true; });
      option->expected(field.is_positional() && field.is_list() ? -1 : 1);
      option->allow_extra_args(field.is_positional() && field.is_list());
    }
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    bound.push_back({&field, option});
  }
  return bound;
}

std::vector<std::string> long_flags(const Fields& fields) {
  std::vector<std::string> flags;
  for (const auto& field : fields)
    if (!field.is_positional()) flags.push_back(field.long_flag());
  return flags;
}

void print_help(const CommandLine& line, const Fields& fields, const Fields& common) {
  std::string usage = "usage: negativa " + line.verb;
  Fields arguments, options;
  for (const auto& field : fields) (field.is_positional() ? arguments : options).push_back(field);
  for (const auto& field : arguments) usage += " " + field.flags + (field.is_list() ? "..." : "");
  if (!options.empty() || !common.empty()) usage += " [options]";
  std::string text = usage + "\n" + line.summary + "\n";
  if (!arguments.empty()) text += "\narguments\n" + help_text(arguments);
  if (!options.empty()) text += "\noptions\n" + help_text(options);
  if (!common.empty()) text += "\ncommon options\n" + help_text(common);
  std::fputs(text.c_str(), stdout);
}

// Texts end in records and prompts; names of files to read or write may be any bytes.
void check_utf8(const Field& field, const std::vector<std::string>& texts) {
  if (std::holds_alternative<Path*>(field.value)) return;
  for (const auto& text : texts)
    check(valid_utf8(text) == text, ErrorKind::input,
          "[{}] got \"{}\", which is not UTF-8; is the terminal set to another encoding?", field.long_flag(), valid_utf8(text));
}

struct PresetOption {
  std::string preset;
  static void visit(auto& self, auto& v) { v("preset", self.preset, "of the program, by name"); }
};

bool parse(const CommandLine& line, Fields& fields, Fields& common) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  bool help = false;
  app.add_flag("-h,--help", help);
  auto bound = bind(app, fields);
  const auto bound_common = bind(app, common);
  bound.insert(bound.end(), bound_common.begin(), bound_common.end());
  try {
    app.parse(std::vector<std::string>(line.args.rbegin(), line.args.rend()));  // CLI11 wants the last argument first
  } catch (const CLI::ArgumentMismatch& error) {                                // "--steps: 1 required TEXT missing"
    const std::string message = error.what();
    fail(ErrorKind::input, "[{}] got no value, expected one; see negativa {} --help", message.substr(0, message.find(':')),
         line.verb);
  } catch (const CLI::ParseError& error) {
    std::string message = error.what();
    message = message.substr(0, message.find('\n'));
    fail(ErrorKind::input, "[{}] {}; see negativa {} --help", line.verb, message, line.verb);
  }
  if (help) {
    print_help(line, fields, common);
    return false;
  }
  auto extra = app.remaining();
  std::erase(extra, "--");
  if (!extra.empty()) {
    auto flags = long_flags(fields);
    for (const auto& flag : long_flags(common)) flags.push_back(flag);
    const std::string name = extra[0].substr(0, extra[0].find('='));
    std::string suggestion = name.starts_with("-") ? did_you_mean(name, flags) : "";
    if (!name.starts_with("-") && find_field(fields, "prompt"))
      suggestion = "; a prompt is written -p \"" + joined(extra, " ") + "\"";
    fail(ErrorKind::input, "[{}] got the unknown argument \"{}\"{}", line.verb, extra[0],
         suggestion.empty() ? fmt::format("; see negativa {} --help", line.verb) : suggestion);
  }
  for (const auto& [field, option] : bound)
    if (option->count() > 0) {
      check_utf8(*field, option->results());
      set_from_texts(*field, option->results(), {Source::flag, field->long_flag()});
    }
  return true;
}

}  // namespace

bool parse_command_line(const CommandLine& line, Fields& fields, CommonOptions& common) {
  Fields common_fields = fields_of(common);
  PresetOption preset;
  if (line.preset_file)
    for (auto& field : fields_of(preset)) {
      field.help = fmt::format("settings that come with the program, by name: {}; --config and what is typed win over them",
                               joined(line.preset_names, ", "));
      common_fields.push_back(std::move(field));
    }
  if (!parse(line, fields, common_fields)) return false;
  if (!preset.preset.empty()) set_from_toml_file(fields, line.preset_file(preset.preset));
  if (!common.config.empty()) set_from_toml_file(fields, common.config);
  set_quiet(common.quiet);
  const Field* show = find_field(fields, "show");
  if (common.json && show && show->value_text() == "true")
    notice("--show has no effect: with --json there is one document at the end");
  return true;
}

bool parse_command_line(const CommandLine& line, Fields& fields) {
  Fields none;
  return parse(line, fields, none);
}

}  // namespace negativa::cli
