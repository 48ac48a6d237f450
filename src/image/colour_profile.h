#pragma once
// ICC profiles: what a file's numbers mean as colours. Source: ICC.1:2022; the conversion is lcms2's, which Pillow's ImageCms
// uses too.
#include <string>

#include "image/raw_picture.h"

namespace negativa {

// From the picture's own profile to sRGB, perceptual intent, 8 bits; transparency stays. Returns why the profile cannot be
// applied (broken, for another kind of colour): the pixels are as they were then. Empty: it was applied, or there is none.
std::string convert_to_srgb(RawPicture& picture);

}  // namespace negativa
