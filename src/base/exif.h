#pragma once
// How a camera was held, as EXIF says it: pictures are stored as the sensor saw them and turned by whoever reads them.
// Source: CIPA DC-008 (EXIF 2.32), 4.6.4, tag 0x0112; where it lies: JPEG 4.7.2 (APP1), PNG third edition 11.3.4.5 (eXIf).
#include <string_view>

#include "base/image.h"

namespace negativa {

// 1 to 8; 1 (as stored) for a file that says nothing, or nothing sensible, and for other formats. Never throws.
int exif_orientation(std::string_view file_bytes);

// 2: mirrored left-right; 3: half a turn; 4: mirrored top-bottom; 5: transposed; 6: a quarter turn to the right; 7: transposed along the
// other diagonal; 8: a quarter turn to the left.
Image8 turned_upright(const Image8& image, int orientation);

Image8 mirrored(const Image8& image);  // left-right

}  // namespace negativa
