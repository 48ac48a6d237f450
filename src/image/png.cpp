#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "image/image.h"
#include "image/picture_kind.h"
#include "image/raw_picture.h"

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
  char profile_fault[160] = {};  // what libpng says of a colour profile that it does not hand out
  std::jmp_buf jump;
};

extern "C" {
static void on_png_error(png_structp png, png_const_charp message) {
  auto* stream = static_cast<PngStream*>(png_get_error_ptr(png));
  std::strncpy(stream->message, message, sizeof stream->message - 1);
  std::longjmp(stream->jump, 1);
}

static void on_png_warning(png_structp png, png_const_charp message) {
  auto* stream = static_cast<PngStream*>(png_get_error_ptr(png));
  if (std::strncmp(message, "iCCP: ", 6) == 0) std::strncpy(stream->profile_fault, message + 6, sizeof stream->profile_fault - 1);
}

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

constexpr const char* exif_chunk = "eXIf";

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
    check_pixels(width(), height(), where_);
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

  bool is_grey() const { return !(png_get_color_type(png_, info_) & PNG_COLOR_MASK_COLOR); }  // of the file, before read_rgba

  // The ICC profile as libpng checked and inflated it; empty: none, or fault() says why.
  std::string profile() const {
    png_charp name = nullptr;
    png_bytep bytes = nullptr;
    png_uint_32 size = 0;
    int compression = 0;
    if (!png_get_iCCP(png_, info_, &name, &compression, &bytes, &size)) return "";
    return {reinterpret_cast<const char*>(bytes), size};
  }
  std::string profile_fault() const { return stream_.profile_fault; }

  // A chunk that was kept as it is; empty: there is none.
  std::string chunk(std::string_view name) const {
    png_unknown_chunkp chunks = nullptr;
    const int count = png_get_unknown_chunks(png_, info_, &chunks);
    for (int i = 0; i < count; ++i)
      if (name == reinterpret_cast<const char*>(chunks[i].name))
        return {reinterpret_cast<const char*>(chunks[i].data), chunks[i].size};
    return "";
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
    // As it is: libpng takes none that begins with JPEG's prefix, which some writers keep.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_ALWAYS, reinterpret_cast<png_const_bytep>(exif_chunk), 1);
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

// Names lie: other programs save a JPEG under a PNG's.
void check_is_png(std::string_view bytes, std::string_view where) {
  if (picture_format(bytes) != PictureFormat::png)
    fail(ErrorKind::file_format, "[{}] is {}, expected a PNG picture", where, what_it_is(bytes));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// How ImageMagick and exiftool keep what PNG had no chunk for: "\nNAME\n  SIZE\n", then digits in lines. Empty: not of this form.
std::string raw_profile(const TextChunks& text, std::initializer_list<std::string_view> names) {
  for (const auto& [keyword, value] : text) {
    if (std::find(names.begin(), names.end(), keyword) == names.end()) continue;
    std::string_view rest = value;
    for (int line = 0; line < 3; ++line) {
      const auto end = rest.find('\n');
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
    std::string digits, bytes;
    std::copy_if(rest.begin(), rest.end(), std::back_inserter(digits), [](char c) { return hex_digit(c) >= 0; });
    for (size_t i = 0; i + 1 < digits.size(); i += 2)
      bytes += static_cast<char>(hex_digit(digits[i]) << 4 | hex_digit(digits[i + 1]));
    return bytes;
  }
  return "";
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
  check_is_png(bytes, where);
  PngReader reader(bytes, where);
  reader.read_header();
  RawPicture picture{
      static_cast<int>(reader.width()), static_cast<int>(reader.height()), 4, reader.is_grey(), reader.read_rgba(), "", "", ""};
  return {flattened(std::move(picture), background), reader.text()};
}

RawPicture read_raw_png(std::string_view bytes, std::string_view where) {
  const auto frames = png_frames(bytes);
  check(frames <= 1, ErrorKind::file_format,
        "[{}] is an animated PNG picture of {} frames, expected a still one; save the frames you want by themselves", where,
        frames);
  PngReader reader(bytes, where);
  reader.read_header();
  RawPicture picture{
      static_cast<int>(reader.width()), static_cast<int>(reader.height()), 4, reader.is_grey(), {}, reader.profile(), "", ""};
  picture.pixels = reader.read_rgba();  // and all that stands behind the picture
  const auto text = reader.text();
  if (picture.profile.empty()) picture.profile = raw_profile(text, {"Raw profile type icc", "Raw profile type icm"});
  if (picture.profile.empty()) picture.profile_fault = reader.profile_fault();
  picture.exif = reader.chunk(exif_chunk);
  if (picture.exif.empty()) picture.exif = raw_profile(text, {"Raw profile type exif", "Raw profile type APP1"});
  return picture;
}

TextChunks read_png_text(const std::filesystem::path& path) {
  const std::string where = path.string();
  const std::string file = read_file(path);
  check_is_png(file, where);
  const std::string bytes = without_picture(file, where);
  PngReader reader(bytes, where);
  reader.read_header();
  return reader.text();
}

}  // namespace negativa
