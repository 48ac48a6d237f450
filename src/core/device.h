#pragma once
// Where and in which number format a request computes. Resolved once, before anything runs ("auto is resolved first").
#include <filesystem>

#include "core/tensor.h"

namespace negativa {

using DType = at::ScalarType;

// "fp32", "bf16", "fp16", "fp64", "int8" … and back. Throws ErrorKind::input on another name.
std::string dtype_name(DType dtype);
DType dtype_from_name(std::string_view name);
int64_t dtype_bytes(DType dtype);
inline bool is_fp8(DType dtype) { return dtype == at::kFloat8_e4m3fn || dtype == at::kFloat8_e5m2; }

// True after libtorch_cuda.so was opened (from the folder of libtorch_cpu.so, or lib/ in `libtorch` where that is not empty) and
// a device answers. Must be called before the first operator: ATen caches its CUDA hooks once. `why` says what was missing.
bool open_cuda(const std::filesystem::path& libtorch, std::string* why);

// "cpu", "cuda", or "auto": a GPU if one answers. Throws ErrorKind::device when a GPU was asked for and there is none.
at::Device device_from_name(const std::string& name, const std::filesystem::path& libtorch = {});
// The number format computed in: "auto" is fp32 on a CPU, always, since a timed choice would change pictures, and bf16 on a GPU.
// Throws ErrorKind::input for fp16 on a CPU, where it is a storage format only.
DType compute_from_name(const std::string& name, const at::Device& device);

// Intra-op threads of the calling thread, and of threads that have not called libtorch before. For threads of our own: see
// on_own_thread() and engine/workers.h.
void set_threads(int threads);
int hardware_threads();

}  // namespace negativa
