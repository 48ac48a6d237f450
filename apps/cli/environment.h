#pragma once
// What the program takes from its environment.
#include <string>
#include <string_view>

#include "base/places.h"
#include "runs/run_store.h"

namespace negativa::cli {

// $NEGATIVA_MODELS, else ~/.local/share/negativa/models; $XDG_CACHE_HOME/negativa, else ~/.cache/negativa, and no cache when
// neither variable is set; $NEGATIVA_LIBTORCH; $SOURCE_DATE_EPOCH; bundled models beside the executable. Throws as parse_date
// does.
Places places_of_environment();

// Where a studio keeps its things: negativa/library in $XDG_DATA_HOME or ~/.local/share.
std::filesystem::path library_folder_of_environment();

// Computes with the instructions that --isa names; "auto": all that this machine has, or what $ATEN_CPU_CAPABILITY (default,
// avx2, avx512) leaves of them. Sets the variables of library_caps(). To be called before anything is computed. Throws as
// isa_from_name and choose_isa do, and ErrorKind::input naming $ATEN_CPU_CAPABILITY.
void use_isa(const std::string& name);
inline constexpr const char* isa_help =
    "instructions of the CPU to compute with: auto (all that this machine has), baseline, avx2 or avx512";

// Seconds since 1970. Throws ErrorKind::input naming $SOURCE_DATE_EPOCH.
int64_t parse_date(std::string_view text);

// The rank that Open MPI's mpirun (OMPI_COMM_WORLD_RANK and _SIZE), srun (SLURM_PROCID and SLURM_NTASKS) or a SLURM array
// (SLURM_ARRAY_TASK_ID, _MIN and _COUNT) give; none of them: the whole. Under mpirun and srun it waits for the others' cells; a
// task of an array may start when others have ended, so it does not unless `waits`. Throws ErrorKind::input for variables that
// are no rank.
Shard shard_of_environment(bool waits);

}  // namespace negativa::cli
