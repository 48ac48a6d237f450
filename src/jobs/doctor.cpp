#include "jobs/doctor.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/proc.h"
#include "base/recipe.h"
#include "core/device.h"
#include "core/memory.h"
#include "io/models_folder.h"
#include "jobs/lora_layers.h"
#include "pipeline/prediction.h"

namespace negativa {

namespace {

std::string size_text(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / double(1 << 30)); }

template <class Module>
int64_t largest_weight(Module& module) {
  int64_t largest = 0;
  for (const auto& slot : nn::walk(module).slots) largest = std::max(largest, c10::multiply_integers(slot.shape));
  return largest;
}

// SDXL's base has its UNet as the largest part; its VAE always works in fp32.
std::vector<DoctorReport::Fit> sdxl_fits(const DoctorReport& machine) {
  const auto folder = sdxl_layers_folder();
  if (!folder) return {};
  const auto config = [&](const char* part) { return read_file(*folder / part / names::config); };
  UNet unet(UNetConfig::from_json(config("unet"), "sdxl-layers/unet/config.json"));
  Vae vae(VaeConfig::from_json(config("vae"), "sdxl-layers/vae/config.json"));
  const int64_t unet_parameters = nn::parameter_count(nn::walk(unet)), cast = largest_weight(unet),
                element = dtype_bytes(at::kFloat);
  constexpr int steps = 50;
  std::vector<DoctorReport::Fit> fits;
  for (const int64_t side_px : {512, 1024})
    for (const DType storage : {at::kHalf, at::kFloat}) {
      const int64_t side = side_px / vae.config.factor();
      const Work step = unet_work(unet.config, {2, side, side}), decode = vae_decode_work(vae.config, side, side);
      const int64_t drawing = unet_parameters * dtype_bytes(storage) + (step.most_elements + cast) * element;
      const int64_t decoding = (nn::parameter_count(nn::walk(vae)) + decode.most_elements) * element;
      DoctorReport::Fit fit{fmt::format("SDXL {0}x{0}, weights {1}, computed in fp32", side_px, dtype_name(storage)), 0, 0,
                            false};
      fit.needs_bytes = static_cast<uint64_t>(std::max(drawing, decoding) + resident_bytes());
      fit.seconds = (steps * step.flop + unet_prepare_flop(unet.config, {2, side, side}) + decode.flop) /
                    (machine.gflop_s * 1e9 * efficiency_of(false));
      fit.fits = fit.needs_bytes <= machine.available_bytes;
      fits.push_back(fit);
    }
  return fits;
}

std::string duration(double seconds) {
  return seconds < 120 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

}  // namespace

DoctorReport examine_machine() {
  DoctorReport report;
  report.processor = processor_name();
  report.cpu_capability = at::get_cpu_capability();
  report.cores = hardware_threads();
  report.memory_bytes = bytes_after("/proc/meminfo", "MemTotal");
  report.available_bytes = bytes_after("/proc/meminfo", "MemAvailable");
  std::string why;
  report.gpu = open_cuda(&why) ? "CUDA device found" : "none: " + why;
  report.models_folder = user_models_folder().string();
  report.bundled_model = bundled_models_folder().has_value();
  set_threads(report.cores);
  report.gflop_s = matrix_product_rate() / 1e9;
  report.fits = sdxl_fits(report);
  return report;
}

std::string report_text(const DoctorReport& report) {
  std::string text = fmt::format(
      "processor   {} ({} cores, {} kernels, matrix product {:.0f} GFLOP/s)\nmemory      {}, {} available\nGPU         "
      "{}\nmodels      {}{}\n\n",
      report.processor, report.cores, report.cpu_capability, report.gflop_s, size_text(report.memory_bytes),
      size_text(report.available_bytes), report.gpu, report.models_folder,
      report.bundled_model ? ", and the bundled emoji-xl" : "; the bundled models are missing");
  for (const auto& fit : report.fits)
    text += fmt::format("{:<48} about {:>9}, {:>7} for 50 steps  {}\n", fit.what, size_text(fit.needs_bytes),
                        duration(fit.seconds), fit.fits ? "fits" : "does not fit in the memory available now");
  return text;
}

std::string report_json(const DoctorReport& report) {
  Json fits = Json::array();
  for (const auto& fit : report.fits)
    fits.push_back({{"what", fit.what}, {"needs_bytes", fit.needs_bytes}, {"seconds", fit.seconds}, {"fits", fit.fits}});
  return Json({{"processor", report.processor},
               {"cpu_capability", report.cpu_capability},
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

}  // namespace negativa
