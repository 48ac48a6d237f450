#include "doctor_text.h"

#include "base/json.h"

namespace negativa::cli {

namespace {

std::string size_text(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / double(1 << 30)); }

std::string duration(double seconds) {
  return seconds < 120 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

}  // namespace

std::string text_of(const DoctorReport& report) {
  std::string text = fmt::format(
      "processor   {} ({} cores, matrix product {:.0f} GFLOP/s)\nkernels     {}{}; libtorch's: {}\nmemory      {}, {} "
      "available\nGPU         "
      "{}\nmodels      {}{}\n\n",
      report.processor, report.cores, report.gflop_s, report.isa,
      report.isa == report.machine_isa ? "" : fmt::format(" of {} (--isa)", report.machine_isa), report.cpu_capability,
      size_text(report.memory_bytes), size_text(report.available_bytes), report.gpu, report.models_folder,
      report.bundled_model ? ", and the bundled emoji-xl" : "; the bundled models are missing");
  for (const auto& fit : report.fits)
    text += fmt::format("{:<48} about {:>9}, {:>7} for 50 steps  {}\n", fit.what, size_text(fit.needs_bytes),
                        duration(fit.seconds), fit.fits ? "fits" : "does not fit in the memory available now");
  return text;
}

std::string json_of(const DoctorReport& report) {
  Json fits = Json::array();
  for (const auto& fit : report.fits)
    fits.push_back({{"what", fit.what}, {"needs_bytes", fit.needs_bytes}, {"seconds", fit.seconds}, {"fits", fit.fits}});
  return Json({{"processor", report.processor},
               {"cpu_capability", report.cpu_capability},
               {"isa", report.isa},
               {"machine_isa", report.machine_isa},
               {"cores", report.cores},
               {"gflop_s", report.gflop_s},
               {"memory_bytes", report.memory_bytes},
               {"available_bytes", report.available_bytes},
               {"gpu", report.gpu},
               {"models_folder", report.models_folder},
               {"bundled_model", report.bundled_model},
               {"fits", fits}})
      .dump(2);
}

}  // namespace negativa::cli
