#pragma once
// `negativa doctor`: what this machine has and what fits on it.
#include <cstdint>
#include <string>
#include <vector>

#include "engine/engine.h"
#include "image/events.h"

namespace negativa {

struct DoctorOptions {};

struct DoctorReport {
  std::string processor, cpu_capability;  // the instruction set libtorch's kernels use here
  std::string isa, machine_isa;           // what ours use, and the most that this machine has
  int cores = 0;
  uint64_t memory_bytes = 0, available_bytes = 0;
  std::string gpu;            // "none: " and the reason, or the device
  std::string models_folder;  // where models are looked up by name
  bool bundled_model = false;

  struct Fit {
    std::string what;
    uint64_t needs_bytes = 0;
    double seconds = 0;  // of computing 50 guided steps and decoding
    bool fits = false;   // in the memory that is available now
  };
  double gflop_s = 0;     // of the library's matrix product on all cores, measured now
  std::vector<Fit> fits;  // SDXL's base, counted from its configurations; empty where those did not come along
};

// Measures the rate of a matrix product for a fifth of a second.
DoctorReport doctor(Engine& engine, const DoctorOptions& options, EventSink& events, const CancelToken& cancel);

}  // namespace negativa
