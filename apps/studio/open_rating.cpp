#include "open_rating.h"

#include "runs/rating_session.h"

namespace negativa::studio {

namespace fs = std::filesystem;

bool is_being_rated(const fs::path& file) {
  std::error_code error;
  fs::path folder = fs::weakly_canonical(file, error);
  if (error) return false;
  for (; folder.has_relative_path(); folder = folder.parent_path())
    if (rating_is_open(folder)) return true;
  return false;
}

std::optional<web::Response> closed_by_rating(const fs::path& file) {
  if (!is_being_rated(file)) return {};
  return web::error_response(409, "input",
                             "[rating] these pictures are being rated; they are shown again when negativa rate has ended");
}

}  // namespace negativa::studio
