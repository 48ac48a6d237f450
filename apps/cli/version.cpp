#include "jobs/version.h"

#include <cstdio>

#include "base/json.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct VersionOptions {
  bool json = false;
  static void visit(auto& self, auto& v) { v("json", self.json, "as JSON"); }
};
}  // namespace

int run_version(const Arguments& args) {
  VersionOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"version", "which program and libraries these are", args}, fields)) return 0;
  const VersionReport report = program_version();
  const Json version = {
      {"version", report.version},   {"build_type", report.build_type},         {"compiler", report.compiler},
      {"libtorch", report.libtorch}, {"cpu_capability", report.cpu_capability}, {"processor", report.processor}};
  if (options.json) {
    std::printf("%s\n", canonical_json(version).c_str());
  } else {
    std::printf("negativa %s\n", version["version"].get_ref<const std::string&>().c_str());
    for (const char* key : {"build_type", "compiler", "libtorch", "cpu_capability", "processor"})
      std::printf("  %-15s %s\n", key, version[key].get_ref<const std::string&>().c_str());
  }
  return 0;
}

}  // namespace negativa::cli
