// jpeglib.h needs FILE and size_t declared before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>
#include <cstdlib>

#include "base/error.h"
#include "image/image.h"
#include "image/raw_picture.h"

namespace negativa {

namespace {

// As with libpng: messages are kept and control jumps back, nothing is thrown through C.
struct JpegErrors {
  jpeg_error_mgr manager;  // first, so that libjpeg's pointer to it is a pointer to this
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = {};
};

extern "C" {
static void on_jpeg_error(j_common_ptr jpeg) {
  auto* errors = reinterpret_cast<JpegErrors*>(jpeg->err);
  jpeg->err->format_message(jpeg, errors->message);
  std::longjmp(errors->jump, 1);
}

// libjpeg only warns when a file ends early or its data is damaged, and fills the rest with grey.
static void on_jpeg_message(j_common_ptr jpeg, int level) {
  const int code = jpeg->err->msg_code;
  if (level < 0 &&
      (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_NOT_SEQUENTIAL))
    on_jpeg_error(jpeg);
}
}

class JpegReader {
 public:
  JpegReader(std::string_view bytes, std::string_view where) : bytes_(bytes), where_(where) {
    jpeg_.err = jpeg_std_error(&errors_.manager);
    errors_.manager.error_exit = on_jpeg_error;
    errors_.manager.emit_message = on_jpeg_message;
  }
  ~JpegReader() {
    jpeg_destroy_decompress(&jpeg_);
    std::free(profile_);
  }
  JpegReader(const JpegReader&) = delete;

  RawPicture read() {
    check(try_read_header(), ErrorKind::file_format, "[{}] is not a correct JPEG file: {}", where_, errors_.message);
    check_pixels(jpeg_.image_width, jpeg_.image_height, where_);
    check(jpeg_.num_components == 1 || jpeg_.num_components == 3, ErrorKind::file_format,
          "[{}] has {} colour components, expected grey or RGB (CMYK is not read); convert it first", where_,
          jpeg_.num_components);
    RawPicture picture{static_cast<int>(jpeg_.image_width),
                       static_cast<int>(jpeg_.image_height),
                       3,
                       jpeg_.num_components == 1,
                       {},
                       "",
                       "",
                       exif()};
    if (profile_)
      picture.profile.assign(reinterpret_cast<const char*>(profile_), profile_size_);
    else if (marker_with(JPEG_APP0 + 2, profile_prefix))
      picture.profile_fault = "parts of it are missing";
    picture.pixels.resize(static_cast<size_t>(jpeg_.image_width) * jpeg_.image_height * 3);
    check(try_read_rows(picture.pixels.data()), ErrorKind::file_format, "[{}] is not a correct JPEG file: {}", where_,
          errors_.message);
    return picture;
  }

 private:
  bool try_read_header() {
    if (setjmp(errors_.jump)) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    for (const int marker : {1, 2}) jpeg_save_markers(&jpeg_, JPEG_APP0 + marker, 0xffff);
    jpeg_read_header(&jpeg_, TRUE);
    jpeg_read_icc_profile(&jpeg_, &profile_, &profile_size_);  // joins its segments; null unless all are there
    return true;
  }

  const jpeg_marker_struct* marker_with(int kind, std::string_view prefix) const {
    for (const auto* marker = jpeg_.marker_list; marker; marker = marker->next)
      if (marker->marker == kind && bytes_of(*marker).starts_with(prefix)) return marker;
    return nullptr;
  }

  std::string exif() const {
    const auto* marker = marker_with(JPEG_APP0 + 1, exif_prefix);
    return marker ? std::string(bytes_of(*marker)) : "";
  }

  static std::string_view bytes_of(const jpeg_marker_struct& marker) {
    return {reinterpret_cast<const char*>(marker.data), marker.data_length};
  }

  bool try_read_rows(uint8_t* rgb) {
    if (setjmp(errors_.jump)) return false;
    jpeg_.out_color_space = JCS_RGB;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      JSAMPROW row = rgb + static_cast<size_t>(jpeg_.output_scanline) * jpeg_.output_width * 3;
      jpeg_read_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_decompress(&jpeg_);
    return true;
  }

  static constexpr std::string_view exif_prefix{"Exif\0\0", 6}, profile_prefix{"ICC_PROFILE\0", 12};
  std::string_view bytes_, where_;
  JOCTET* profile_ = nullptr;  // libjpeg's malloc
  unsigned profile_size_ = 0;
  jpeg_decompress_struct jpeg_{};
  JpegErrors errors_;
};

}  // namespace

RawPicture read_raw_jpeg(std::string_view bytes, std::string_view where) { return JpegReader(bytes, where).read(); }

Image8 decode_jpeg(std::string_view bytes, std::string_view where) { return flattened(read_raw_jpeg(bytes, where), white); }

}  // namespace negativa
