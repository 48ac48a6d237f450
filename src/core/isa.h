#pragma once
// Which instructions of the CPU the kernels use: one choice for a process, since a picture's last bits depend on it.
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

enum class Isa { baseline, avx2, avx512 };  // each has those before it; baseline: plain x86-64, or what another CPU has

// "baseline", "avx2", "avx512". isa_from_name (below) also takes "auto": the most that the machine has. It throws
// ErrorKind::input for other names and for more than the machine has.
std::string isa_name(Isa isa);

// By cpuid and by what the system saves of registers. AVX2 comes with fused multiply-adds; AVX-512 with the parts F, BW, CD, DQ
// and VL.
Isa machine_isa();
Isa isa_from_name(std::string_view name, Isa most = machine_isa());

// What the kernels of this process use, machine_isa() where nobody has chosen. From its first call on it stays.
Isa active_isa();
// To be called before active_isa() is asked, and before libtorch computes anything: its libraries have caps of their own (see
// library_caps). Throws ErrorKind::input where another is in use already. Thread-safe, as all of these.
void choose_isa(Isa isa);

// For what takes part in a running process. Throws as isa_from_name does, and ErrorKind::input for another than active_isa().
void check_isa(std::string_view name);  // "auto" is that one

// Variables that bind the libraries beneath libtorch, which read them when they first compute: ATen's own kernels, oneDNN and
// MKL. For avx512 ATen's alone: there the others take what they take by themselves.
struct LibraryCap {
  const char *variable, *value;
};
std::vector<LibraryCap> library_caps(Isa isa);

}  // namespace negativa
