#pragma once
// From an 8-bit picture to what a CLIP image tower reads, as transformers' CLIPImageProcessor with Pillow does it: resized,
// cropped from the middle, rescaled, normalised.
#include <array>

#include "core/tensor.h"
#include "image/resize.h"

namespace negativa {

class ConfigReader;

struct ImageProcessor {
  struct Size {
    int64_t height = 224, width = 224;  // px
  };
  bool do_resize = true, do_center_crop = true, do_rescale = true, do_normalize = true;
  std::optional<int64_t> shortest_edge = 224;  // px; absent: resized to `size`, whatever the picture's shape
  Size size, crop_size;
  Filter resample = Filter::bicubic;
  double rescale_factor = 1.0 / 255;
  std::array<float, 3> mean = {0.48145466f, 0.4578275f, 0.40821073f}, std = {0.26862954f, 0.26130258f, 0.27577711f};

  // preprocessor_config.json in all spellings there have been: sizes as a number, a list or an object. Absent keys: CLIP's own
  // values. Throws ErrorKind::file_format naming `where` and the key for what cannot be, and for resampling that is not bilinear,
  // bicubic or Lanczos.
  static ImageProcessor read(const ConfigReader& reader);
  static ImageProcessor parse(std::string_view json, std::string_view where);
  // preprocessor_config.json, or what transformers 5 writes into processor_config.json. Throws ErrorKind::missing_key: neither is
  // there.
  static ImageProcessor load(const std::filesystem::path& folder);

  // What comes out, px; absent: it depends on the picture.
  std::optional<Size> output_size() const;
  // [1,3,H,W] fp32. Throws ErrorKind::input for an empty picture, and for one so long that its resized side is no number of
  // pixels.
  Tensor pixels(const Image8& image) const;
};

}  // namespace negativa
