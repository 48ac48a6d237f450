#pragma once
// The end of a program that links libtorch.
namespace negativa {

// Flushes stdout and stderr and ends the program without running static destructors: libtorch's take 75 ms, a third of a short
// command. Files are whole and closed by then. Under the sanitizers, which report when a program ends, the usual way.
[[noreturn]] void end_program(int exit_code);

}  // namespace negativa
