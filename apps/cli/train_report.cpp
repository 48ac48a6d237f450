#include "train_report.h"

#include <csignal>
#include <cstdio>

#include "base/json.h"
#include "report_json.h"
#include "stderr.h"

namespace negativa::cli {

void outlive_readers() { std::signal(SIGPIPE, SIG_IGN); }

void print_report(const TrainReport& report, bool json) {
  if (json) {
    std::printf("%s\n", json_of(report).dump(2).c_str());
    return;
  }
  std::printf("%s\n", report.file.c_str());
  if (report.was_finished) return notice("{} steps of these settings are done already", report.steps);
  notice("{} steps{}, {:.1f} s, {:.3f} s a step, peak memory {:.2f} GiB", report.steps,
         report.resumed_from ? fmt::format(" (from {})", report.resumed_from) : "", report.seconds, report.step_seconds,
         static_cast<double>(report.peak_memory_bytes) / double(1 << 30));
}

}  // namespace negativa::cli
