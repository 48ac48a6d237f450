#pragma once
// What a file is by its first bytes: names lie.
#include <string>
#include <string_view>

namespace negativa {

enum class PictureFormat { png, jpeg, webp, other };

PictureFormat picture_format(std::string_view bytes);

// "a JPEG picture", "an animated PNG picture of 12 frames", "a Git LFS pointer", "a text file", "no picture that is known": for
// messages.
std::string what_it_is(std::string_view bytes);

// How many frames an animated PNG says it has; 1 for a still one and for other files.
uint32_t png_frames(std::string_view bytes);

}  // namespace negativa
