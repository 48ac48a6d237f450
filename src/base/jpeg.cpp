// jpeglib.h needs FILE and size_t declared before it, jerror.h needs jpeglib.h.
// clang-format off
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>

#include "base/error.h"
#include "base/image.h"

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
  ~JpegReader() { jpeg_destroy_decompress(&jpeg_); }
  JpegReader(const JpegReader&) = delete;

  Image8 read() {
    check(try_read_header(), ErrorKind::file_format, "[{}] is not a correct JPEG file: {}", where_, errors_.message);
    const int64_t pixels = static_cast<int64_t>(jpeg_.image_width) * jpeg_.image_height;
    check(pixels <= max_image_pixels, ErrorKind::file_format,
          "[{}] has {}x{} pixels, expected at most {} million; make it smaller", where_, jpeg_.image_width, jpeg_.image_height,
          max_image_pixels >> 20);
    check(jpeg_.num_components == 1 || jpeg_.num_components == 3, ErrorKind::file_format,
          "[{}] has {} colour components, expected grey or RGB (CMYK is not read); convert it first", where_,
          jpeg_.num_components);
    Image8 image = Image8::filled(static_cast<int>(jpeg_.image_width), static_cast<int>(jpeg_.image_height), white);
    check(try_read_rows(image.rgb.data()), ErrorKind::file_format, "[{}] is not a correct JPEG file: {}", where_,
          errors_.message);
    return image;
  }

 private:
  bool try_read_header() {
    if (setjmp(errors_.jump)) return false;
    jpeg_create_decompress(&jpeg_);
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(bytes_.data()), bytes_.size());
    jpeg_read_header(&jpeg_, TRUE);
    return true;
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

  std::string_view bytes_, where_;
  jpeg_decompress_struct jpeg_{};
  JpegErrors errors_;
};

}  // namespace

Image8 decode_jpeg(std::string_view bytes, std::string_view where) { return JpegReader(bytes, where).read(); }

}  // namespace negativa
