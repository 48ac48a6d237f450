#pragma once
// The kernel's text files of lines "key: value", as /proc/self/status and /proc/meminfo.
#include <cstdint>
#include <string>
#include <string_view>

namespace negativa {

std::string value_after(const char* file, std::string_view key);  // "" where there is none
uint64_t bytes_after(const char* file, std::string_view key);     // of "MemTotal:  24000000 kB"; 0 where there is none

}  // namespace negativa
