#include "image/image.h"

// clang-format off
#include <cstdio>  // before jpeglib.h, which uses FILE
#include <jpeglib.h>
// clang-format on

#include "base/files.h"
#include "base/temporary_folder.h"
#include "base/text.h"
#include "image/png_bytes.h"
#include "image/terminal.h"

namespace negativa {

using namespace test;

namespace {

Image8 gradient(int width, int height) {
  Image8 image = Image8::filled(width, height, white);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      uint8_t* pixel = image.pixel(x, y);
      pixel[0] = static_cast<uint8_t>(x * 255 / width), pixel[1] = static_cast<uint8_t>(y * 255 / height), pixel[2] = 77;
    }
  return image;
}

std::string jpeg_of(const Image8& image, int quality) {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &buffer, &size);
  jpeg.image_width = image.width, jpeg.image_height = image.height, jpeg.input_components = 3, jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (int y = 0; y < image.height; ++y) {
    JSAMPROW row = const_cast<uint8_t*>(image.pixel(0, y));
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::string bytes(reinterpret_cast<char*>(buffer), size);
  free(buffer);
  return bytes;
}

}  // namespace

TEST(Png, CarriesPixelsAndTextUnchanged) {
  const TemporaryFolder folder;
  const Image8 image = gradient(37, 21);
  const TextChunks text = {{"parameters", "a cat, (blurry:1.3)\nSteps: 50"},
                           {"latin", "ü é ÿ"},
                           {"negativa", "{\"prompt\":\"猫 🙂\"}"},
                           {"empty", ""}};
  const std::string bytes = encode_png(image, text);
  EXPECT_EQ(encode_png(image, text), bytes);
  write_atomically(folder / "a.png", bytes);
  const PngFile read = read_png(folder / "a.png");
  EXPECT_EQ(read.image, image);
  EXPECT_EQ(read.text, text);
  EXPECT_EQ(read_png_text(folder / "a.png"), text);
  EXPECT_TRUE(contains(bytes, "tEXtparameters"));
  EXPECT_TRUE(contains(bytes, "tEXtlatin"));
  EXPECT_TRUE(contains(bytes, "iTXtnegativa"));
  EXPECT_FALSE(contains(bytes, "tIME"));
}

TEST(Png, TextAfterThePictureAndCompressedTextAreRead) {
  const TemporaryFolder folder;
  std::string bytes = encode_png(gradient(4, 4), {{"first", "1"}});
  bytes.insert(bytes.size() - 12, chunk("zTXt", std::string("second\0\0", 8) + deflated("caf\xe9")));
  write_atomically(folder / "a.png", bytes);
  const TextChunks expected = {{"first", "1"}, {"second", "café"}};
  EXPECT_EQ(read_png_text(folder / "a.png"), expected);
  EXPECT_EQ(read_png(folder / "a.png").text, expected);
}

TEST(Png, EveryPixelFormatBecomesRgb) {
  const std::string zero(1, 0);
  const auto pixel = [](const std::string& bytes, Colour background = white) {
    const Image8 image = decode_png(bytes, "x", background).image;
    return Colour{image.rgb[0], image.rgb[1], image.rgb[2]};
  };
  EXPECT_EQ(pixel(png_of(1, 1, 8, 0, zero + "\x64")), (Colour{100, 100, 100}));  // grey
  EXPECT_EQ(pixel(png_of(1, 1, 1, 0, zero + "\x80")), (Colour{255, 255, 255}));  // 1 bit
  EXPECT_EQ(pixel(png_of(1, 1, 16, 2, zero + "\x64\x64\xff\xff" + zero + "\x80")),
            (Colour{100, 255, 0}));  // 16 bit: 128/257 rounds to 0
  EXPECT_EQ(pixel(png_of(1, 1, 8, 3, zero + "\x01", chunk("PLTE", "abcdef"))), (Colour{'d', 'e', 'f'}));
  EXPECT_EQ(pixel(png_of(1, 1, 8, 3, zero + zero, chunk("PLTE", "abcdef") + chunk("tRNS", zero)), {1, 2, 3}), (Colour{1, 2, 3}));
  EXPECT_EQ(pixel(png_of(1, 1, 8, 6, zero + "\x64" + zero + "\xff\x80")), (Colour{177, 127, 255}));  // 0.502 of it over white
  EXPECT_EQ(pixel(png_of(1, 1, 8, 6, zero + "\x64" + zero + "\xff\x80"), {0, 0, 0}), (Colour{50, 0, 128}));
}

TEST(Png, RefusesBombsBeforeAllocatingThem) {
  const std::string rows(100, 0);
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { decode_png(png_of(100'000, 100'000, 8, 2, rows), "bomb.png"); }),
                       "[bomb.png] has 100000x100000 pixels"));
  error_of(ErrorKind::file_format, [&] { decode_png(png_of(0x7fffffff, 0x7fffffff, 16, 6, rows), "bomb.png"); });
  error_of(ErrorKind::file_format, [&] { decode_png(png_of(0, 5, 8, 2, rows), "bomb.png"); });
  // A small chunk that inflates to 200 MB is left out; the picture is read.
  const std::string inflating = chunk("zTXt", std::string("bomb\0\0", 6) + deflated(std::string(200 << 20, 'x')));
  const PngFile read = decode_png(png_of(1, 1, 8, 0, std::string("\0\x64", 2), inflating), "bomb.png");
  EXPECT_TRUE(read.text.empty());
  EXPECT_EQ(read.image.rgb[0], 100);
}

TEST(Png, RefusesEveryTruncationAndDamageInOneLine) {
  const std::string whole = encode_png(gradient(20, 20), {{"parameters", "x"}});
  for (size_t size = 0; size < whole.size(); ++size)
    ASSERT_TRUE(contains(error_of(ErrorKind::file_format, [&] { decode_png(whole.substr(0, size), "cut.png"); }), "[cut.png]"))
        << size;
  std::string damaged = whole;
  damaged[damaged.size() - 30] ^= 1;  // in the picture data: the checksum differs
  error_of(ErrorKind::file_format, [&] { decode_png(damaged, "damaged.png"); });
}

TEST(Png, RefusesWhatItCannotWrite) {
  error_of(ErrorKind::input, [] { encode_png(Image8{}); });
  error_of(ErrorKind::input, [] { encode_png(Image8{2, 2, {1, 2, 3}}); });
  error_of(ErrorKind::input, [] { encode_png(gradient(1, 1), {{std::string(80, 'k'), "x"}}); });
  error_of(ErrorKind::input, [] { encode_png(gradient(1, 1), {{"", "x"}}); });
  error_of(ErrorKind::input, [] { encode_png(gradient(1, 1), {{"key", std::string("a\0b", 3)}}); });
}

TEST(Jpeg, IsReadAndToldByItsFirstBytes) {
  const TemporaryFolder folder;
  const Image8 image = gradient(33, 17);
  write_atomically(folder / "a.png", jpeg_of(image, 98));  // the name does not matter
  const Image8 read = read_image(folder / "a.png");
  ASSERT_EQ(read.rgb.size(), image.rgb.size());
  for (size_t i = 0; i < image.rgb.size(); ++i) ASSERT_NEAR(read.rgb[i], image.rgb[i], 8) << i;
  write_atomically(folder / "b.png", encode_png(image));
  EXPECT_EQ(read_image(folder / "b.png"), image);
  write_atomically(folder / "c.png", "GIF89a");
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { read_image(folder / "c.png"); }),
                       "c.png] is a GIF picture, expected a PNG, JPEG or WebP picture"));
}

TEST(Jpeg, RefusesTruncatedFilesAndBombsInOneLine) {
  const std::string whole = jpeg_of(gradient(64, 64), 90);
  for (const size_t size : {size_t{0}, size_t{3}, size_t{20}, size_t{200}, whole.size() / 2, whole.size() - 40})
    EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { decode_jpeg(whole.substr(0, size), "cut.jpg"); }), "[cut.jpg]"))
        << size;
  std::string bomb = whole;
  const auto frame = bomb.find("\xff\xc0");  // start of frame: length (2), precision (1), height (2), width (2)
  bomb.replace(frame + 5, 4, "\xea\x60\xea\x60");
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { decode_jpeg(bomb, "bomb.jpg"); }), "60000x60000"));
}

TEST(ResizeForDisplay, AveragesAreasDownAndRepeatsPixelsUp) {
  const Image8 four{2, 2, {0, 0, 0, 100, 100, 100, 200, 200, 200, 255, 255, 255}};
  EXPECT_EQ(resize_for_display(four, 1, 1).rgb[0], 139);  // 555 / 4
  const Image8 up = resize_for_display(four, 4, 4);
  EXPECT_EQ(up.pixel(1, 1)[0], 0);
  EXPECT_EQ(up.pixel(2, 1)[0], 100);
  EXPECT_EQ(up.pixel(1, 2)[0], 200);
  const Image8 three{3, 1, {0, 0, 0, 90, 90, 90, 240, 240, 240}};
  const Image8 two = resize_for_display(three, 2, 1);
  EXPECT_EQ(two.pixel(0, 0)[0], 30);   // (0 + 90/2) / 1.5
  EXPECT_EQ(two.pixel(1, 0)[0], 190);  // (90/2 + 240) / 1.5
}

TEST(HalfBlocks, DrawsTwoPixelsACell) {
  const Image8 image{1, 3, {1, 2, 3, 4, 5, 6, 7, 8, 9}};
  EXPECT_EQ(half_blocks(image, 1), "\033[38;2;1;2;3m\033[48;2;4;5;6m▀\033[0m\n\033[38;2;7;8;9m▀\033[0m\n");
  const std::string drawn = half_blocks(gradient(64, 64), 80);
  EXPECT_EQ(std::count(drawn.begin(), drawn.end(), '\n'), 32);
  const std::string small = half_blocks(gradient(64, 64), 20);
  EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 10);
}

TEST(Text, Utf8IsDecodedStrictly) {
  EXPECT_EQ(code_points("aü猫🙂"), U"aü猫🙂");
  EXPECT_EQ(valid_utf8("a\xffz"), "a\uFFFDz");
  for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xf8\x88\x80\x80\x80"})
    EXPECT_FALSE(latin1_from_utf8(bad).has_value()) << bad;
  EXPECT_EQ(latin1_from_utf8("é"), "\xe9");
  EXPECT_EQ(utf8_from_latin1("\xe9"), "é");
}

TEST(Text, NearestNameForgivesSlipsOnly) {
  const std::vector<std::string> names = {"steps", "seed", "guidance_scale"};
  EXPECT_EQ(nearest_name("stpes", names), "steps");
  EXPECT_EQ(nearest_name("guidence_scal", names), "guidance_scale");
  EXPECT_FALSE(nearest_name("prompt", names).has_value());
}

}  // namespace negativa
