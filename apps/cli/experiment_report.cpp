#include "jobs/experiment_report.h"

#include <cstdio>

#include "arm_table_text.h"
#include "experiment_text.h"
#include "host.h"
#include "options.h"
#include "people_text.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct ReportLine {
  ExperimentReportOptions report;
  bool json = false;

  static void visit(auto& self, auto& v) {
    ExperimentReportOptions::visit(self.report, v);
    v("json", self.json, "results as JSON");
  }
};

}  // namespace

int run_experiment_report(const Arguments& args) {
  ReportLine line;
  Fields fields = fields_of(line);
  if (!parse_command_line({"experiment report", "a run's page, rebuilt from its records alone", args}, fields)) return 0;
  TerminalEvents events;
  const ExperimentReport report = experiment_report(engine(), line.report, events, interrupt_token());
  if (line.json) {
    std::printf("%s", json_of(report).c_str());
    return 0;
  }
  std::printf("%s", text_of(report.table).c_str());
  std::printf("%s", line_of(report.people).c_str());
  for (const auto& fault : report.table.faults) std::printf("%s\n", fault.c_str());
  for (const auto& file : report.written) std::printf("%s\n", file.string().c_str());
  return 0;
}

}  // namespace negativa::cli
