#pragma once
// What the program takes from its environment.
#include <string_view>

#include "base/places.h"

namespace negativa::cli {

// $NEGATIVA_MODELS, else ~/.local/share/negativa/models; $XDG_CACHE_HOME/negativa, else ~/.cache/negativa, and no cache when
// neither variable is set; $NEGATIVA_LIBTORCH; $SOURCE_DATE_EPOCH; bundled models beside the executable. Throws as parse_date
// does.
Places places_of_environment();

// Where a studio keeps its things: negativa/library in $XDG_DATA_HOME or ~/.local/share.
std::filesystem::path library_folder_of_environment();

// Seconds since 1970. Throws ErrorKind::input naming $SOURCE_DATE_EPOCH.
int64_t parse_date(std::string_view text);

}  // namespace negativa::cli
