#include "core/device.h"

#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <sched.h>

#include <filesystem>

namespace negativa {

namespace {
struct NamedDType {
  const char* name;
  DType dtype;
  int64_t bytes;
};
constexpr NamedDType named_dtypes[] = {
    {"fp32", at::kFloat, 4},
    {"fp16", at::kHalf, 2},
    {"bf16", at::kBFloat16, 2},
    {"fp64", at::kDouble, 8},
    {"int8", at::kChar, 1},
    {"uint8", at::kByte, 1},
    {"int16", at::kShort, 2},
    {"int32", at::kInt, 4},
    {"int64", at::kLong, 8},
    {"bool", at::kBool, 1},
    {"fp8_e4m3", at::kFloat8_e4m3fn, 1},
    {"fp8_e5m2", at::kFloat8_e5m2, 1},
};

std::filesystem::path folder_of_libtorch(const std::filesystem::path& given) {
  if (!given.empty()) return given / "lib";
  Dl_info info{};
  // Any function of libtorch_cpu.so tells which file the loader took it from.
  if (dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &info) && info.dli_fname)
    return std::filesystem::path(info.dli_fname).parent_path();
  return {};
}
}  // namespace

std::string dtype_name(DType dtype) {
  for (const auto& known : named_dtypes)
    if (known.dtype == dtype) return known.name;
  fail(ErrorKind::input, "[dtype] {} has no name here", c10::toString(dtype));
}

DType dtype_from_name(std::string_view name) {
  for (const auto& known : named_dtypes)
    if (known.name == name) return known.dtype;
  fail(ErrorKind::input, "[dtype] got \"{}\", expected fp32, fp16, bf16 or int8", name);
}

int64_t dtype_bytes(DType dtype) {
  for (const auto& known : named_dtypes)
    if (known.dtype == dtype) return known.bytes;
  return static_cast<int64_t>(c10::elementSize(dtype));
}

bool open_cuda(const std::filesystem::path& libtorch, std::string* why) {
  const auto library = folder_of_libtorch(libtorch) / "libtorch_cuda.so";
  if (!std::filesystem::exists(library)) {
    *why = "this build has no CUDA part (libtorch_cuda.so); install with GPU=1 or point NEGATIVA_LIBTORCH at a CUDA libtorch";
    return false;
  }
  if (!dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    *why = fmt::format("libtorch_cuda.so cannot be opened: {}", dlerror());
    return false;
  }
  if (!at::hasCUDA()) {
    *why = "libtorch_cuda.so is open but no CUDA device answers; check the driver with nvidia-smi";
    return false;
  }
  return true;
}

at::Device device_from_name(const std::string& name, const std::filesystem::path& libtorch) {
  if (name == "cpu") return at::kCPU;
  std::string why;
  if (open_cuda(libtorch, &why)) return at::kCUDA;
  check(name == "auto", ErrorKind::device, "[--device] cuda was asked for, but {}", why);
  return at::kCPU;
}

DType compute_from_name(const std::string& name, const at::Device& device) {
  if (name == "auto") return device.is_cuda() ? at::kBFloat16 : at::kFloat;
  const DType dtype = dtype_from_name(name);
  check(device.is_cuda() || dtype != at::kHalf, ErrorKind::input,
        "[--dtype] fp16 on a CPU is a storage format only; use --weights-dtype fp16 and --dtype fp32 or bf16");
  return dtype;
}

void set_threads(int threads) { at::set_num_threads(threads); }

int hardware_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return 1;
}

}  // namespace negativa
