#include "jobs/doctor.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>

#include <fstream>

#include "base/json.h"
#include "base/recipe.h"
#include "core/device.h"
#include "io/models_folder.h"

namespace negativa {

namespace {

// A line "MemTotal:  24000000 kB" of /proc/meminfo.
uint64_t meminfo_bytes(const std::string& key) {
  std::ifstream lines("/proc/meminfo");
  std::string name;
  uint64_t kilobytes = 0;
  for (std::string rest; lines >> name >> kilobytes; std::getline(lines, rest))
    if (name == key + ":") return kilobytes << 10;
  return 0;
}

std::string gibibytes(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / double(1 << 30)); }

}  // namespace

DoctorReport examine_machine() {
  DoctorReport report;
  report.processor = processor_name();
  report.cpu_capability = at::get_cpu_capability();
  report.cores = hardware_threads();
  report.memory_bytes = meminfo_bytes("MemTotal");
  report.available_bytes = meminfo_bytes("MemAvailable");
  std::string why;
  report.gpu = open_cuda(&why) ? "CUDA device found" : "none: " + why;
  report.models_folder = user_models_folder().string();
  report.bundled_model = bundled_models_folder().has_value();
  // Weights of the largest stage, the base UNet's 2,567,463,684 parameters, plus what a guided step at that size was measured to need.
  constexpr uint64_t parameters = 2'567'463'684, gib = uint64_t{1} << 30;
  const std::pair<const char*, uint64_t> known[] = {
      {"SDXL 512x512, weights fp16, computed in fp32", parameters * 2 + 2 * gib},
      {"SDXL 512x512, weights fp32", parameters * 4 + 2 * gib},
      {"SDXL 1024x1024, weights fp16, computed in fp32", parameters * 2 + 6 * gib},
      {"SDXL 1024x1024, weights fp32", parameters * 4 + 6 * gib},
  };
  for (const auto& [what, bytes] : known) report.fits.push_back({what, bytes, bytes <= report.available_bytes});
  return report;
}

std::string report_text(const DoctorReport& report) {
  std::string text = fmt::format("processor   {} ({} cores, {} kernels)\nmemory      {}, {} available\nGPU         {}\nmodels      {}{}\n\n", report.processor, report.cores,
                                 report.cpu_capability, gibibytes(report.memory_bytes), gibibytes(report.available_bytes), report.gpu, report.models_folder,
                                 report.bundled_model ? ", and the bundled emoji-xl" : "; the bundled models are missing");
  for (const auto& fit : report.fits)
    text += fmt::format("{:<48} about {:>9}  {}\n", fit.what, gibibytes(fit.needs_bytes), fit.fits ? "fits" : "does not fit in the memory available now");
  return text;
}

std::string report_json(const DoctorReport& report) {
  Json fits = Json::array();
  for (const auto& fit : report.fits) fits.push_back({{"what", fit.what}, {"needs_bytes", fit.needs_bytes}, {"fits", fit.fits}});
  return Json({{"processor", report.processor}, {"cpu_capability", report.cpu_capability}, {"cores", report.cores}, {"memory_bytes", report.memory_bytes},
               {"available_bytes", report.available_bytes}, {"gpu", report.gpu}, {"models_folder", report.models_folder},
               {"bundled_model", report.bundled_model}, {"fits", fits}}).dump(2);
}

}  // namespace negativa
