#include "environment.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/names.h"
#include "core/isa.h"
#include "io/models_folder.h"

namespace negativa::cli {

namespace {

namespace fs = std::filesystem;

constexpr int64_t last_second = 253402300799;  // of the year 9999, the last that ISO 8601 has four digits for

std::string_view variable(const char* name) {
  const char* text = std::getenv(name);
  return text ? text : "";
}

fs::path models_folder() {
  if (const auto given = variable(names::models_variable); !given.empty()) return given;
  const auto home = variable("HOME");
  return fs::path(home.empty() ? "/" : home) / names::models_folder;
}

fs::path cache_folder() {
  if (const auto xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) return fs::path(xdg) / names::cache_folder;
  if (const auto home = variable("HOME"); !home.empty()) return fs::path(home) / ".cache" / names::cache_folder;
  return {};
}

// Absent: the variable is not set.
std::optional<int> count_of(const char* name) {
  const auto text = variable(name);
  if (text.empty()) return {};
  int count = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  check(error == std::errc() && end == text.data() + text.size() && count >= 0, ErrorKind::input,
        "[{}] got \"{}\", expected a number of at least 0; give --shard i/n instead", name, text);
  return count;
}

std::optional<Shard> shard_of(const char* rank_name, const char* size_name, bool waits) {
  const auto rank = count_of(rank_name), size = count_of(size_name);
  if (!rank || !size) return {};
  check(*rank < *size, ErrorKind::input, "[{}] got {}, expected less than {} ({}); give --shard i/n instead", rank_name, *rank,
        *size, size_name);
  return Shard{*rank, *size, waits};
}

// What is left to a person who has bound libtorch.
Isa isa_of_environment() {
  const auto given = variable("ATEN_CPU_CAPABILITY");
  if (given.empty()) return machine_isa();
  const std::string name(given == "default" ? "baseline" : given);
  check(name == "baseline" || name == "avx2" || name == "avx512", ErrorKind::input,
        "[ATEN_CPU_CAPABILITY] got \"{}\", expected default, avx2 or avx512; give --isa instead", given);
  return std::min(isa_from_name(name), machine_isa());
}

}  // namespace

void use_isa(const std::string& name) {
  const Isa isa = name == "auto" ? isa_of_environment() : isa_from_name(name);
  choose_isa(isa);
  for (const auto& [variable, value] : library_caps(isa)) ::setenv(variable, value, 1);
}

Shard shard_of_environment(bool waits) {
  if (const auto shard = shard_of("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", true)) return *shard;
  if (const auto task = count_of("SLURM_ARRAY_TASK_ID")) {  // before srun's, whose variables an array's job has too
    const int first = count_of("SLURM_ARRAY_TASK_MIN").value_or(0), size = count_of("SLURM_ARRAY_TASK_COUNT").value_or(0);
    check(*task >= first && *task - first < size, ErrorKind::input,
          "[SLURM_ARRAY_TASK_ID] got {}, expected one of {} tasks from {} on without gaps; give --shard i/n instead", *task, size,
          first);
    return {*task - first, size, waits};
  }
  if (const auto shard = shard_of("SLURM_PROCID", "SLURM_NTASKS", true)) return *shard;
  return {0, 1, waits};
}

int64_t parse_date(std::string_view text) {
  int64_t seconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  check(error == std::errc() && end == text.data() + text.size() && seconds >= 0 && seconds <= last_second, ErrorKind::input,
        "[{}] got \"{}\", expected seconds since 1970; unset it for no date", names::source_date_variable, text);
  return seconds;
}

Places places_of_environment() {
  Places places{.models = models_folder(), .bundled = bundled_models_folder(), .cache = cache_folder()};
  places.libtorch = variable(names::libtorch_variable);
  if (const auto date = variable(names::source_date_variable); !date.empty()) places.build_date_s = parse_date(date);
  return places;
}

fs::path library_folder_of_environment() {
  if (const auto xdg = variable("XDG_DATA_HOME"); !xdg.empty()) return fs::path(xdg) / "negativa" / names::library_folder;
  const auto home = variable("HOME");
  return fs::path(home.empty() ? "/" : home) / ".local/share/negativa" / names::library_folder;
}

}  // namespace negativa::cli
