#pragma once
// How a camera was held, as EXIF says it: pictures are stored as the sensor saw them and turned by whoever reads them.
// Source: CIPA DC-008 (EXIF 2.32), 4.6.4, tag 0x0112; read by libexif.
#include <string_view>

#include "image/image.h"

namespace negativa {

// Of an EXIF block: a TIFF structure, with or without "Exif\0\0" before it. 1 to 8; 1 (as stored) where it says nothing, or
// nothing sensible.
int exif_orientation(std::string_view exif);

// 2: mirrored left-right; 3: half a turn; 4: mirrored top-bottom; 5: transposed; 6: a quarter turn to the right; 7: transposed
// along the other diagonal; 8: a quarter turn to the left.
Image8 turned_upright(const Image8& image, int orientation);

Image8 mirrored(const Image8& image);  // left-right

}  // namespace negativa
