#include "open_rating.h"

#include "experiment/rounds_state.h"
#include "runs/rating_session.h"

namespace negativa::studio {

namespace fs = std::filesystem;

namespace {

// Rounds of rejecting lie below the run that they go on from, whose pictures are those of their first round; the page of all of
// them lies between.
bool are_rounds_rated(const fs::path& run) {
  std::error_code error;
  for (auto entry = fs::directory_iterator(run / names::rounds_folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error))
    if (rating_is_open(entry->path() / names::rounds_run)) return true;
  return false;
}

}  // namespace

bool is_being_rated(const fs::path& file) {
  std::error_code error;
  fs::path folder = fs::weakly_canonical(file, error);
  if (error) return false;
  for (; folder.has_relative_path(); folder = folder.parent_path())
    if (rating_is_open(folder) || are_rounds_rated(folder)) return true;
  return false;
}

std::optional<web::Response> closed_by_rating(const fs::path& file) {
  if (!is_being_rated(file)) return {};
  return web::error_response(409, "input",
                             "[rating] these pictures are being rated; they are shown again when negativa rate has ended");
}

}  // namespace negativa::studio
