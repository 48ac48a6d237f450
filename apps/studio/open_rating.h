#pragma once
// What a studio keeps to itself while a person rates: `negativa rate` holds the lock on the ratings of a folder, and until it
// ends no answer shows what lies below that folder. docs/rating.md.
#include <filesystem>
#include <optional>

#include "web/message.h"

namespace negativa::studio {

// Whether a rating is open on the file's folder or on one above it, or on the rounds of rejecting of such a folder.
bool is_being_rated(const std::filesystem::path& file);

// The refusal (409), where it is.
std::optional<web::Response> closed_by_rating(const std::filesystem::path& file);

}  // namespace negativa::studio
