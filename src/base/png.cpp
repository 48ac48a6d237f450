#include <png.h>

#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/image.h"
#include "base/text.h"

namespace negativa {

namespace {

// libpng reports errors by a function that must not return. It is C without unwinding tables, so nothing may be thrown through
// it: the message is kept, control jumps back to the setjmp of the function that called libpng, and that function returns false.
// Those functions (the ones that begin with setjmp) own nothing with a destructor.
struct PngStream {
  std::string_view in;
  size_t in_position = 0;
  std::string* out = nullptr;
  char message[160] = {};
  std::jmp_buf jump;
};

extern "C" {
static void on_png_error(png_structp png, png_const_charp message) {
  auto* stream = static_cast<PngStream*>(png_get_error_ptr(png));
  std::strncpy(stream->message, message, sizeof stream->message - 1);
  std::longjmp(stream->jump, 1);
}

static void on_png_warning(png_structp, png_const_charp) {}

static void read_png_bytes(png_structp png, png_bytep to, size_t size) {
  auto* stream = static_cast<PngStream*>(png_get_io_ptr(png));
  if (stream->in.size() - stream->in_position < size) png_error(png, "the file ends early");
  std::memcpy(to, stream->in.data() + stream->in_position, size);
  stream->in_position += size;
}

static void write_png_bytes(png_structp png, png_bytep from, size_t size) {
  auto* stream = static_cast<PngStream*>(png_get_io_ptr(png));
  try {
    stream->out->append(reinterpret_cast<const char*>(from), size);
    return;
  } catch (...) {  // out of memory; must not cross libpng
  }
  png_error(png, "out of memory");
}

static void flush_png(png_structp) {}
}

class PngReader {
 public:
  PngReader(std::string_view bytes, std::string_view where) : where_(where) {
    stream_.in = bytes;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &stream_, on_png_error, on_png_warning);
    check(png_ != nullptr, ErrorKind::machine, "[{}] libpng found no memory", where);
    info_ = png_create_info_struct(png_);
  }
  ~PngReader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;

  void read_header() {
    check(try_read_header(), ErrorKind::file_format, "[{}] is not a correct PNG file: {}", where_, stream_.message);
    const int64_t pixels = static_cast<int64_t>(width()) * height();
    check(pixels <= max_image_pixels, ErrorKind::file_format,
          "[{}] has {}x{} pixels, expected at most {} million; make it smaller", where_, width(), height(),
          max_image_pixels >> 20);
  }

  // 8-bit RGBA rows.
  std::vector<uint8_t> read_rgba() {
    check(try_set_transforms(), ErrorKind::file_format, "[{}] is not a correct PNG file: {}", where_, stream_.message);
    std::vector<uint8_t> rgba(static_cast<size_t>(width()) * height() * 4);
    std::vector<png_bytep> rows(height());
    for (size_t y = 0; y < rows.size(); ++y) rows[y] = rgba.data() + y * width() * 4;
    check(try_read_rows(rows.data()), ErrorKind::file_format, "[{}] is not a correct PNG file: {}", where_, stream_.message);
    return rgba;
  }

  TextChunks text() const {
    png_textp chunks = nullptr;
    const int count = png_get_text(png_, info_, &chunks, nullptr);
    TextChunks result;
    for (int i = 0; i < count; ++i) {
      const bool international = chunks[i].compression >= PNG_ITXT_COMPRESSION_NONE;
      const std::string_view bytes(chunks[i].text, international ? chunks[i].itxt_length : chunks[i].text_length);
      result.emplace_back(utf8_from_latin1(chunks[i].key), international ? valid_utf8(bytes) : utf8_from_latin1(bytes));
    }
    return result;
  }

  uint32_t width() const { return png_get_image_width(png_, info_); }
  uint32_t height() const { return png_get_image_height(png_, info_); }

 private:
  bool try_read_header() {
    if (setjmp(stream_.jump)) return false;
    png_set_read_fn(png_, &stream_, read_png_bytes);
    png_set_user_limits(png_, 1 << 20, 1 << 20);  // each side; the product is checked by the caller
    png_set_chunk_malloc_max(png_, 32 << 20);     // an inflated text chunk
    png_set_chunk_cache_max(png_, 256);           // how many
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_set_benign_errors(png_, 1);
    png_read_info(png_, info_);
    return true;
  }

  bool try_set_transforms() {
    if (setjmp(stream_.jump)) return false;
    png_set_scale_16(png_);
    png_set_expand(png_);  // palette and grey below 8 bits to 8 bits, tRNS to alpha
    png_set_gray_to_rgb(png_);
    png_set_add_alpha(png_, 0xff, PNG_FILLER_AFTER);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != size_t{4} * width()) png_error(png_, "unexpected row size");
    return true;
  }

  bool try_read_rows(png_bytepp rows) {
    if (setjmp(stream_.jump)) return false;
    png_read_image(png_, rows);
    png_read_end(png_, info_);
    return true;
  }

  std::string_view where_;
  PngStream stream_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

// The same file with all its picture data (IDAT chunks) replaced by one empty chunk at the end: libpng's header reading stops
// there, so that text behind the picture is found without inflating it. PNG specification, 5.3: length, type, data, checksum.
std::string without_picture(const std::string& bytes, std::string_view where) {
  size_t position = std::min<size_t>(8, bytes.size());
  std::string result = bytes.substr(0, position);
  while (true) {
    check(bytes.size() - position >= 12, ErrorKind::file_format, "[{}] is not a correct PNG file: the file ends early", where);
    const size_t size = size_t{12} + png_get_uint_32(reinterpret_cast<png_const_bytep>(bytes.data() + position));
    check(bytes.size() - position >= size, ErrorKind::file_format, "[{}] is not a correct PNG file: the file ends early", where);
    const auto type = std::string_view(bytes).substr(position + 4, 4);
    if (type == "IEND") return result + std::string("\0\0\0\0IDAT", 8);
    if (type != "IDAT") result += bytes.substr(position, size);
    position += size;
  }
}

bool try_encode(PngStream* stream, png_structp png, png_infop info, const Image8& image, png_textp chunks, int count) {
  if (setjmp(stream->jump)) return false;
  png_set_write_fn(png, stream, write_png_bytes, flush_png);
  png_set_IHDR(png, info, static_cast<png_uint_32>(image.width), static_cast<png_uint_32>(image.height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(png, 6);
  if (count > 0) png_set_text(png, info, chunks, count);
  png_write_info(png, info);
  for (int y = 0; y < image.height; ++y) png_write_row(png, image.pixel(0, y));
  png_write_end(png, nullptr);  // nullptr: the text is written once, before the picture
  return true;
}

png_text text_chunk(const std::string& keyword, const std::string& text, std::string& latin1) {
  bool is_ascii = !keyword.empty() && keyword.size() < 80 && keyword.front() != ' ' && keyword.back() != ' ';
  for (const char c : keyword) is_ascii = is_ascii && c >= 32 && c < 127;
  check(is_ascii, ErrorKind::input, "[png] got the text keyword \"{}\", expected 1 to 79 ASCII characters", keyword);
  check(text.find('\0') == std::string::npos, ErrorKind::input,
        "[png] the text of \"{}\" contains a zero byte, which PNG cannot hold", keyword);
  png_text chunk{};
  chunk.key = const_cast<char*>(keyword.c_str());
  if (const auto converted = latin1_from_utf8(text)) {
    latin1 = *converted;
    chunk.compression = PNG_TEXT_COMPRESSION_NONE;
    chunk.text = latin1.data();
    chunk.text_length = latin1.size();
  } else {
    chunk.compression = PNG_ITXT_COMPRESSION_NONE;
    chunk.text = const_cast<char*>(text.c_str());
    chunk.itxt_length = text.size();
    chunk.lang = chunk.lang_key = const_cast<char*>("");
  }
  return chunk;
}

Image8 flattened(const std::vector<uint8_t>& rgba, int width, int height, Colour background) {
  Image8 image{width, height, std::vector<uint8_t>(rgba.size() / 4 * 3)};
  for (size_t i = 0; i < rgba.size() / 4; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < 3; ++c)
      image.rgb[3 * i + c] = static_cast<uint8_t>((rgba[4 * i + c] * alpha + background[c] * (255 - alpha) + 127) / 255);
  }
  return image;
}

}  // namespace

std::string encode_png(const Image8& image, const TextChunks& text) {
  check(!image.empty() && image.rgb.size() == static_cast<size_t>(image.width) * image.height * 3, ErrorKind::input,
        "[png] got a picture of {}x{} pixels with {} bytes, expected three bytes a pixel", image.width, image.height,
        image.rgb.size());
  std::vector<std::string> latin1(text.size());
  std::vector<png_text> chunks;
  for (size_t i = 0; i < text.size(); ++i) chunks.push_back(text_chunk(text[i].first, text[i].second, latin1[i]));

  std::string bytes;
  PngStream stream;
  stream.out = &bytes;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &stream, on_png_error, on_png_warning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  const bool done = info && try_encode(&stream, png, info, image, chunks.data(), static_cast<int>(chunks.size()));
  png_destroy_write_struct(&png, &info);
  check(done, ErrorKind::machine, "[png] cannot be made: {}", stream.message);
  return bytes;
}

PngFile decode_png(std::string_view bytes, std::string_view where, Colour background) {
  PngReader reader(bytes, where);
  reader.read_header();
  const auto rgba = reader.read_rgba();
  return {flattened(rgba, static_cast<int>(reader.width()), static_cast<int>(reader.height()), background), reader.text()};
}

TextChunks read_png_text(const std::filesystem::path& path) {
  const std::string where = path.string();
  const std::string bytes = without_picture(read_file(path), where);
  PngReader reader(bytes, where);
  reader.read_header();
  return reader.text();
}

}  // namespace negativa
