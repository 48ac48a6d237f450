#pragma once
// Resizing as Pillow's (13.0) Image.resize does it to an RGB picture, byte for byte: what training pictures go through in the
// field. Algorithm: python-pillow/Pillow, src/libImaging/Resample.c (antialiased, two passes, weights in 22-bit fixed point).
#include "image/image.h"

namespace negativa {

enum class Filter { bilinear, bicubic, lanczos };

// Part of a picture, px from its top left corner.
struct Window {
  int left = 0, top = 0, width = 0, height = 0;
};

// Throws ErrorKind::input for an empty picture or size.
Image8 resize(const Image8& image, int width, int height, Filter filter);

// That part of the picture resized to `width` x `height`, and no work or memory for the rest of it: a crop of a very long
// picture.
Image8 resize_window(const Image8& image, int width, int height, const Window& window, Filter filter);

}  // namespace negativa
