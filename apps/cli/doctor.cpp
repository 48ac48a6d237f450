#include "jobs/doctor.h"

#include <cstdio>

#include "doctor_text.h"
#include "environment.h"
#include "host.h"
#include "options.h"
#include "verbs.h"

namespace negativa::cli {

namespace {
struct DoctorOptions {
  bool json = false;
  std::string isa = "auto";
  static void visit(auto& self, auto& v) {
    v("json", self.json, "as JSON");
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}), isa_help);
  }
};
}  // namespace

int run_doctor(const Arguments& args) {
  DoctorOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"doctor", "what this machine has and what fits on it", args}, fields)) return 0;
  use_isa(options.isa);
  TerminalEvents events;
  const DoctorReport report = doctor(engine(), {}, events, interrupt_token());
  std::printf("%s", (options.json ? json_of(report) + "\n" : text_of(report)).c_str());
  return 0;
}

}  // namespace negativa::cli
