#include "jobs/doctor.h"

#include <ATen/ATen.h>
#include <ATen/Version.h>

#include "base/files.h"
#include "base/names.h"
#include "base/proc.h"
#include "base/recipe.h"
#include "core/isa.h"
#include "core/memory.h"
#include "core/own_thread.h"
#include "io/models_folder.h"
#include "jobs/lora_layers.h"
#include "pipeline/prediction.h"

namespace negativa {

namespace {

template <class Module>
int64_t largest_weight(Module& module) {
  int64_t largest = 0;
  for (const auto& slot : nn::walk(module).slots) largest = std::max(largest, c10::multiply_integers(slot.shape));
  return largest;
}

// SDXL's base has its UNet as the largest part; its VAE always works in fp32.
std::vector<DoctorReport::Fit> sdxl_fits(const DoctorReport& machine, const Places& places) {
  const auto folder = sdxl_layers_folder(places);
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

}  // namespace

DoctorReport doctor(Engine& engine, const DoctorOptions&, EventSink&, const CancelToken&) {
  const Places& places = engine.places();
  DoctorReport report;
  report.processor = processor_name();
  report.cpu_capability = at::get_cpu_capability();
  report.isa = isa_name(active_isa());
  report.machine_isa = isa_name(machine_isa());
  report.cores = hardware_threads();
  report.memory_bytes = bytes_after("/proc/meminfo", "MemTotal");
  report.available_bytes = bytes_after("/proc/meminfo", "MemAvailable");
  std::string why;
  report.gpu = open_cuda(places.libtorch, &why) ? "CUDA device found" : "none: " + why;
  report.models_folder = places.models.string();
  report.bundled_model = places.bundled.has_value();
  report.gflop_s = on_own_thread(report.cores, matrix_product_rate) / 1e9;
  report.fits = sdxl_fits(report, places);
  return report;
}

}  // namespace negativa
