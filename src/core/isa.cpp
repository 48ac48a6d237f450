#include "core/isa.h"

#include <mutex>
#include <optional>

#include "base/error.h"

namespace negativa {

namespace {

constexpr const char* names[] = {"baseline", "avx2", "avx512"};

struct Choice {
  std::mutex mutex;
  std::optional<Isa> isa;
};

Choice& choice() {
  static Choice choice;
  return choice;
}

void check_same(Isa active, Isa asked) {
  check(active == asked, ErrorKind::input, "[--isa] got {0}, but this process computes with {1}; start it with --isa {0}",
        isa_name(asked), isa_name(active));
}

}  // namespace

std::string isa_name(Isa isa) { return names[static_cast<int>(isa)]; }

Isa isa_from_name(std::string_view name, Isa most) {
  if (name == "auto") return most;
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (isa_name(isa) != name) continue;
    check(isa <= most, ErrorKind::input, "[--isa] got {}, but this machine has no more than {}; try --isa auto", name,
          isa_name(most));
    return isa;
  }
  fail(ErrorKind::input, "[--isa] got \"{}\", expected auto, baseline, avx2 or avx512", name);
}

Isa machine_isa() {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::baseline;
  const bool all = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return all ? Isa::avx512 : Isa::avx2;
#else
  return Isa::baseline;
#endif
}

Isa active_isa() {
  const std::lock_guard lock(choice().mutex);
  if (!choice().isa) choice().isa = machine_isa();
  return *choice().isa;
}

void choose_isa(Isa isa) {
  const std::lock_guard lock(choice().mutex);
  check_same(choice().isa.value_or(isa), isa);
  choice().isa = isa;
}

void check_isa(std::string_view name) {
  if (name != "auto") check_same(active_isa(), isa_from_name(name));
}

std::vector<LibraryCap> library_caps(Isa isa) {
  if (isa == Isa::avx512) return {{"ATEN_CPU_CAPABILITY", "avx512"}};
  if (isa == Isa::avx2)
    return {{"ATEN_CPU_CAPABILITY", "avx2"}, {"ONEDNN_MAX_CPU_ISA", "AVX2"}, {"MKL_ENABLE_INSTRUCTIONS", "AVX2"}};
  return {{"ATEN_CPU_CAPABILITY", "default"},
          {"ONEDNN_MAX_CPU_ISA", "SSE41"},
          {"MKL_ENABLE_INSTRUCTIONS", "SSE4_2"},
          {"MKL_CBWR", "COMPATIBLE"}};  // SSE2 on every make; the variable before binds MKL on Intel's processors alone
}

}  // namespace negativa
