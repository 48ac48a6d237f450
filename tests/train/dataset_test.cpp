#include "train/dataset.h"

#include "base/files.h"
#include "base/names.h"
#include "base/sha256.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "image/image.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;
using test::golden;

fs::path pictures() { return test::source_folder() / "tests/golden/dataset"; }

DatasetRequest request_of(const fs::path& folder, bool captions = false) {
  DatasetRequest request;
  request.folder = folder;
  request.prompt = "wrong";
  request.captions = captions;
  request.resolution_px = 32;
  return request;
}

void write_picture(const fs::path& path, int width = 40, int height = 40) {
  write_atomically(path, encode_png(Image8::filled(width, height, {9, 8, 7})));
}

std::vector<std::string> names_of(const Dataset& dataset) {
  std::vector<std::string> names;
  for (const auto& example : dataset.examples) names.push_back(example.name);
  return names;
}

std::string refusal(const DatasetRequest& request, ErrorKind kind = ErrorKind::input) {
  return error_of(kind, [&] { open_dataset(request); });
}

using Names = std::vector<std::string>;

}  // namespace

// tools/goldens_images.py: the data set of diffusers' script, with torchvision and Pillow.
TEST(Dataset, SquaresAndSizesAreThoseOfTheScript) {
  const auto expected = golden("dataset");
  const Dataset dataset = open_dataset(request_of(pictures()));
  ASSERT_EQ(names_of(dataset), (Names{"alpha.png", "half_down.png", "half_even.png", "half_up.png", "small.png", "tall.png",
                                      "turned.jpg", "very_tall.png", "wide_odd.PNG"}));
  for (const auto& example : dataset.examples) {
    EXPECT_TRUE(at::equal(time_ids(example.size_cond()), expected->load(example.name + ".time_ids"))) << example.name;
    const auto bytes = [](const Tensor& pixels) { return pixels.add(1).div(2).mul(255).round().to(at::kByte); };
    EXPECT_TRUE(at::equal(bytes(read_pixels(example, false)), expected->load(example.name + ".square"))) << example.name;
    EXPECT_TRUE(at::equal(bytes(read_pixels(example, true)), expected->load(example.name + ".mirrored"))) << example.name;
  }
  const Example& tall = dataset.examples[5];
  EXPECT_TRUE(at::equal(read_pixels(tall, false), expected->load("tall.png.pixels")));
}

TEST(Dataset, TellsTheModelSizesBeforeResizingAndAfterExif) {  // sdxl.md pitfall 52: 1200x1800 at 1024
  const TemporaryFolder folder;
  write_picture(folder / "upright.png", 120, 180);
  std::string sideways = encode_png(Image8::filled(180, 120, {9, 8, 7}));
  const std::string turned = read_file(test::source_folder() / "tests/golden/exif_6.png");
  const auto chunk = turned.find("eXIf") - 4;
  sideways.insert(33, turned.substr(chunk, 12 + static_cast<uint8_t>(turned[chunk + 3])));
  write_atomically(folder / "turned.png", sideways);
  auto request = request_of(folder.path());
  request.resolution_px = 1024;
  for (const auto& example : open_dataset(request).examples) {
    EXPECT_EQ(example.original_size, (SizePx{180, 120})) << example.name;
    EXPECT_EQ(example.crop_top_left, (SizePx{256, 0})) << example.name;
    EXPECT_EQ(example.target_size, (SizePx{1024, 1024})) << example.name;
  }
}

TEST(Dataset, TakesPicturesOfEveryFormatByContentAndPassesOverTheRest) {
  const TemporaryFolder folder;
  const auto golden_pictures = test::source_folder() / "tests/golden/pictures";
  write_picture(folder / "b.JPG");  // a PNG file
  fs::copy_file(pictures() / "turned.jpg", folder / "a.jpeg");
  fs::copy_file(golden_pictures / "still_lossy.webp", folder / "c.webp");
  fs::copy_file(golden_pictures / "adobe.jpg", folder / "d.png");  // a JPEG file
  fs::copy_file(golden_pictures / "adobe.jpg", folder / "e.jfif");
  fs::copy_file(golden_pictures / "still_lossy.webp", folder / "f.gif");  // a WebP file
  for (const char* other : {"notes.txt", "metadata.jsonl", ".hidden.png", "._b.JPG", "model.safetensors"})
    write_atomically(folder / other, "x");
  make_folder(folder / "more");
  write_picture(folder / "more/c.png");
  const Dataset dataset = open_dataset(request_of(folder.path()));
  EXPECT_EQ(names_of(dataset), (Names{"a.jpeg", "b.JPG", "c.webp", "d.png", "e.jfif", "f.gif"}));
  EXPECT_EQ(dataset.examples[0].caption, "wrong");
  EXPECT_EQ(dataset.examples[0].sha256, sha256_file(pictures() / "turned.jpg"));
}

TEST(Dataset, ShowsPicturesInSrgbAndSaysWhichProfilesCannotBeApplied) {
  const TemporaryFolder folder;
  const auto golden_pictures = test::source_folder() / "tests/golden/pictures";
  fs::copy_file(golden_pictures / "p3.png", folder / "a.png");
  fs::copy_file(golden_pictures / "p3.png.seen.png", folder / "b.png");
  std::string jpeg = read_file(golden_pictures / "segments.jpg");
  write_atomically(folder / "c.jpg", jpeg.replace(jpeg.find("ICC_PROFILE"), 11, "ICC_PROFIL_"));
  auto request = request_of(folder.path());
  request.resolution_px = 8;
  Names notices;
  DataHooks hooks;
  hooks.on_notice = [&](const std::string& text) { notices.push_back(text); };
  const Dataset dataset = open_dataset(request, hooks);
  EXPECT_LE(at::max(at::abs(read_pixels(dataset.examples[0], false) - read_pixels(dataset.examples[1], false))).item<float>(),
            2.5f * 2 / 255);
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(contains(notices[0], "colours are taken as sRGB: [c.jpg] ")) << notices[0];
}

TEST(Dataset, PicturesInFoldersInsideAreNamedAsUnused) {
  const TemporaryFolder folder, elsewhere;
  for (const char* inside : {"sub/deep", "empty", ".hidden", "10_dog"}) make_folder(folder / inside);
  for (const char* name : {"sub/a.png", "sub/b.webp", "sub/deep/c.png", "sub/._a.png", ".hidden/d.png", "10_dog/e.jpg"})
    write_picture(folder / name);
  write_picture(elsewhere / "x.png");
  fs::create_directory_symlink(elsewhere.path(), folder / "link");
  write_atomically(folder / "sub/notes.txt", "x");
  const auto none = refusal(request_of(folder.path()));
  EXPECT_TRUE(contains(none,
                       "holds no pictures itself, and those in folders inside it are not searched for: 1 in 10_dog, 1 in link, 2 "
                       "in sub, 1 in sub/deep; name one"))
      << none;
  write_picture(folder / "top.png");
  Names notices;
  DataHooks hooks;
  hooks.on_notice = [&](const std::string& text) { notices.push_back(text); };
  EXPECT_EQ(names_of(open_dataset(request_of(folder.path()), hooks)), Names{"top.png"});
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(notices[0].ends_with("are not used: 1 in 10_dog, 1 in link, 2 in sub, 1 in sub/deep")) << notices[0];
  // What metadata.jsonl names is used.
  write_atomically(folder / names::metadata_jsonl,
                   "{\"file_name\":\"sub/a.png\",\"text\":\"\"}\n{\"file_name\":\"10_dog/"
                   "e.jpg\",\"text\":\"\"}\n{\"file_name\":\"top.png\",\"text\":\"\"}\n");
  EXPECT_EQ(names_of(open_dataset(request_of(folder.path(), true), hooks)), (Names{"10_dog/e.jpg", "sub/a.png", "top.png"}));
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_TRUE(notices[1].ends_with("are not used: 1 in link, 1 in sub, 1 in sub/deep")) << notices[1];
}

TEST(Dataset, HashFollowsNamesBytesAndCaptions) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png");
  write_picture(folder / "b.png", 50, 50);
  auto request = request_of(folder.path());
  const auto hash = open_dataset(request).sha256();
  EXPECT_EQ(open_dataset(request).sha256(), hash);
  request.prompt = "right";
  EXPECT_NE(open_dataset(request).sha256(), hash);
  request.prompt = "wrong";
  fs::rename(folder / "b.png", folder / "c.png");
  EXPECT_NE(open_dataset(request).sha256(), hash);
  fs::rename(folder / "c.png", folder / "b.png");
  EXPECT_EQ(open_dataset(request).sha256(), hash);
  write_picture(folder / "b.png", 50, 51);
  EXPECT_NE(open_dataset(request).sha256(), hash);
}

TEST(Dataset, AllBrokenFilesAreNamedInOneLine) {
  const TemporaryFolder folder;
  const std::string png = encode_png(Image8::filled(40, 40, white)), jpeg = read_file(pictures() / "turned.jpg");
  write_picture(folder / "good.png");
  write_atomically(folder / "1_cut.png", png.substr(0, png.size() / 2));
  write_atomically(folder / "2_cut.jpg", jpeg.substr(0, jpeg.size() / 2));
  write_atomically(folder / "3_text.png", "this is no picture");
  write_atomically(folder / "4_empty.jpeg", "");
  write_picture(folder / "5_pixel.png", 1, 1);
  write_atomically(folder / "6_other.heic", std::string("\0\0\0\x1c"
                                                        "ftypheic",
                                                        12));
  for (const char* extension : {"png", "webp", "gif"})
    fs::copy_file(test::source_folder() / "tests/golden/pictures" / fmt::format("animated.{}", extension),
                  folder / fmt::format("6_animated.{}", extension));
  make_folder(folder / "7_folder.png");
  fs::create_symlink("8_loop.png", folder / "8_loop.png");
  fs::create_symlink("nowhere", folder / "9_link.png");
  auto request = request_of(folder.path());
  request.skip_broken = true;
  const Dataset dataset = open_dataset(request);
  EXPECT_EQ(names_of(dataset), Names{"good.png"});
  const std::pair<const char*, const char*> reasons[] = {
      {"1_cut.png", "not a correct PNG"},
      {"2_cut.jpg", "not a correct JPEG"},
      {"3_text.png", "is a text file"},
      {"4_empty.jpeg", "is an empty file"},
      {"5_pixel.png", "1x1 pixels, expected at least 8"},
      {"6_animated.gif", "an animated GIF picture of 3 frames"},
      {"6_animated.png", "an animated PNG picture of 3 frames"},
      {"6_animated.webp", "an animated WebP picture of 3 frames"},
      {"6_other.heic", "is a HEIC picture, expected a PNG, JPEG or WebP picture"},
      {"7_folder.png", "is no file"},
      {"8_loop.png", "is no file"},
      {"9_link.png", "is not there"}};
  ASSERT_EQ(dataset.broken.size(), std::size(reasons));
  for (size_t i = 0; i < std::size(reasons); ++i) {
    EXPECT_EQ(dataset.broken[i].name, reasons[i].first);
    EXPECT_TRUE(dataset.broken[i].reason.starts_with(fmt::format("[{}] ", reasons[i].first))) << dataset.broken[i].reason;
    EXPECT_TRUE(contains(dataset.broken[i].reason, reasons[i].second)) << dataset.broken[i].reason;
  }
  const auto message = refusal(request_of(folder.path()));
  EXPECT_TRUE(contains(message, "12 of 13 files cannot be used: [1_cut.png] ")) << message;
  for (const auto& [name, reason] : reasons) EXPECT_TRUE(contains(message, fmt::format("[{}] ", name))) << message;
  EXPECT_TRUE(contains(message, "--skip-broken")) << message;
}

TEST(Dataset, RefusesBombsAndPicturesWithoutPixels) {
  const TemporaryFolder folder;
  const auto big_endian = [](uint32_t value) {
    return std::string{static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
                       static_cast<char>(value)};
  };
  std::string png = encode_png(Image8::filled(40, 40, white));
  const auto resized = [&](uint32_t width,
                           uint32_t height) {  // its checksum is wrong then; libpng 1.6 looks at sizes first or says so
    std::string bytes = png;
    return bytes.replace(16, 8, big_endian(width) + big_endian(height));
  };
  write_atomically(folder / "bomb.png", resized(100'000, 100'000));
  write_atomically(folder / "none.png", resized(0, 40));
  std::string jpeg = read_file(pictures() / "turned.jpg");
  const auto frame = jpeg.find("\xff\xc0");
  write_atomically(folder / "bomb.jpg", std::string(jpeg).replace(frame + 5, 4, "\xea\x60\xea\x60"));
  write_atomically(folder / "none.jpg", std::string(jpeg).replace(frame + 5, 4, std::string("\0\0\0\x20", 4)));
  write_picture(folder / "line.png", 200'000, 8);
  auto request = request_of(folder.path());
  request.skip_broken = true;
  request.resolution_px = 1 << 16;
  const auto message = refusal(request);
  for (const char* name : {"[bomb.png]", "[none.png]", "[bomb.jpg]", "[none.jpg]"})
    EXPECT_TRUE(contains(message, name)) << message;
  EXPECT_TRUE(contains(message, "60000x60000")) << message;
  EXPECT_TRUE(contains(message, "holds no usable picture: 5 of 5")) << message;  // line.png would be 1.6 billion px long
  request.resolution_px = 1024;
  const Dataset dataset = open_dataset(request);
  ASSERT_EQ(names_of(dataset), Names{"line.png"});
  EXPECT_EQ(shape_of(read_pixels(dataset.examples[0], true)), (Shape{1, 3, 1024, 1024}));
}

TEST(Dataset, RefusesFoldersThatAreNone) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(refusal(request_of(folder.path())), "holds no PNG, JPEG or WebP pictures"));
  EXPECT_TRUE(contains(refusal(request_of(folder / "nowhere")), "is not a folder"));
  EXPECT_TRUE(contains(refusal(request_of("")), "is not a folder"));
  EXPECT_TRUE(contains(refusal(request_of(pictures() / "tall.png")), "is not a folder"));
  auto request = request_of(pictures());
  request.resolution_px = 0;
  EXPECT_TRUE(contains(refusal(request), "[--resolution] got 0"));
}

TEST(Dataset, SaysWhatIsLeftOutAndWhatIsEnlarged) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png", 31, 100);
  write_picture(folder / "b.png", 32, 32);
  write_atomically(folder / "c.png", "x");
  auto request = request_of(folder.path());
  request.skip_broken = true;
  Names notices;
  int64_t done = 0;
  DataHooks hooks;
  hooks.on_notice = [&](const std::string& text) { notices.push_back(text); };
  hooks.on_progress = [&](int64_t now, int64_t total) {
    EXPECT_EQ(now, ++done);
    EXPECT_EQ(total, 3);
  };
  open_dataset(request, hooks);
  EXPECT_EQ(done, 3);
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_TRUE(contains(notices[0], "1 of 3 files cannot be used: [c.png]")) << notices[0];
  EXPECT_TRUE(contains(notices[1], "1 of 2 pictures are smaller than 32 px")) << notices[1];
}

TEST(Dataset, StopsBetweenTwoPicturesWhenCancelled) {
  CancelToken cancel;
  DataHooks hooks;
  hooks.cancel = &cancel;
  hooks.on_progress = [&](int64_t done, int64_t) {
    EXPECT_EQ(done, 1);
    cancel.cancel();
  };
  error_of(ErrorKind::cancelled, [&] { open_dataset(request_of(pictures()), hooks); });
}

TEST(Dataset, APictureThatChangedDuringTheRunIsAnError) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png");
  const Dataset dataset = open_dataset(request_of(folder.path()));
  write_picture(folder / "a.png", 41, 41);
  EXPECT_TRUE(contains(error_of(ErrorKind::input, [&] { read_pixels(dataset.examples[0], false); }), "changed since"));
}

TEST(Captions, StandBesideThePictureAsText) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "b.v2.png", "c.png", "d.png"}) write_picture(folder / name);
  write_atomically(folder / "a.txt",
                   "\xef\xbb\xbf"
                   "a r\xc3\xbcn cat \r\n");  // as Notepad writes it
  write_atomically(folder / "b.v2.txt", "two\nlines\n\n");
  write_atomically(folder / "c.txt", "");
  write_atomically(folder / "d.txt", "no line end");
  const Dataset dataset = open_dataset(request_of(folder.path(), true));
  ASSERT_EQ(dataset.examples.size(), 4u);
  EXPECT_EQ(dataset.examples[0].caption, "a r\xc3\xbcn cat ");
  EXPECT_EQ(dataset.examples[1].caption, "two\nlines");
  EXPECT_EQ(dataset.examples[2].caption, "");
  EXPECT_EQ(dataset.examples[3].caption, "no line end");
}

TEST(Captions, ThatAreMissingOrNoTextNameThePicture) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "b.png", "c.png", "d.png"}) write_picture(folder / name);
  write_atomically(folder / "b.txt", "caf\xe9");  // Latin-1
  write_atomically(folder / "c.txt", std::string("\xff\xfe"
                                                 "c\0a\0t\0",
                                                 8));  // UTF-16
  write_atomically(folder / "d.txt", std::string("c\0a\0t\0", 6));
  const auto message = refusal(request_of(folder.path(), true));
  EXPECT_TRUE(contains(message, "[a.png] has no caption: neither a.txt nor")) << message;
  for (const char* name : {"b", "c", "d"})
    EXPECT_TRUE(contains(message, fmt::format("[{0}.png] has a caption {0}.txt that is not UTF-8", name))) << message;
  EXPECT_EQ(open_dataset(request_of(folder.path())).examples.size(), 4u);  // not looked at without --captions
}

TEST(Captions, ComeFromMetadataAsGenerateWritesIt) {
  const TemporaryFolder folder;
  make_folder(folder / "sub");
  for (const char* name : {"0000.png", "0001.png", "sub/x.png"}) write_picture(folder / name);
  write_atomically(folder / names::metadata_jsonl,
                   "{\"file_name\":\"0000.png\",\"text\":\"a fox\",\"seed\":1}\n\n{\"file_name\":\"./sub/x.png\",\"text\":\"a "
                   "cat\"}\r\n{\"file_name\":\"0001.png\"}");
  write_atomically(folder / "0001.txt", "a dog\n");
  const Dataset dataset = open_dataset(request_of(folder.path(), true));
  ASSERT_EQ(names_of(dataset), (Names{"0000.png", "0001.png", "sub/x.png"}));
  EXPECT_EQ(dataset.examples[0].caption, "a fox");
  EXPECT_EQ(dataset.examples[1].caption, "a dog");
  EXPECT_EQ(dataset.examples[2].caption, "a cat");
}

TEST(Captions, OfBothKindsMustAgree) {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "b.png"}) write_picture(folder / name);
  write_atomically(folder / names::metadata_jsonl,
                   "{\"file_name\":\"a.png\",\"text\":\"a fox\"}\n{\"file_name\":\"b.png\",\"text\":\"a cat\"}\n");
  write_atomically(folder / "a.txt", "a fox\n");
  EXPECT_EQ(open_dataset(request_of(folder.path(), true)).examples.size(), 2u);
  write_atomically(folder / "a.txt", "a wolf\n");
  EXPECT_TRUE(
      contains(refusal(request_of(folder.path(), true)), "[a.png] has two captions that differ, in a.txt and in metadata.jsonl"));
}

TEST(Captions, MetadataMayNotLeadOutOfTheFolder) {
  const TemporaryFolder folder;
  make_folder(folder / "set/sub");
  write_picture(folder / "outside.png");
  write_picture(folder / "set/a.png");
  fs::create_symlink("../outside.png", folder / "set/link.png");
  fs::create_directory_symlink("..", folder / "set/up");
  const std::string absolute = (folder / "outside.png").string();
  for (const std::string& name : {std::string("../outside.png"), std::string("sub/../../outside.png"),
                                  std::string("sub/../a.png"), absolute, std::string("link.png"), std::string("up/outside.png"),
                                  std::string(""), std::string(".."), std::string("sub/"), std::string("a.png\\u0000.png")}) {
    write_atomically(folder / "set/metadata.jsonl",
                     "{\"file_name\":\"a.png\",\"text\":\"\"}\n{\"file_name\":\"" + name + "\",\"text\":\"\"}\n");
    const auto message = refusal(request_of(folder / "set", true));
    EXPECT_TRUE(contains(message, "metadata.jsonl:2] got file_name") && contains(message, "folder")) << name << ": " << message;
  }
}

TEST(Captions, ThatAreLinksOutOfTheFolderAreRefused) {
  const TemporaryFolder folder, elsewhere;
  write_atomically(elsewhere / "secret.txt", "a secret");
  write_atomically(elsewhere / "metadata.jsonl", "{\"file_name\":\"a.png\",\"text\":\"a secret\"}");
  for (const char* name : {"a.png", "b.png"}) write_picture(folder / name);
  write_atomically(folder / "b.caption", "inside");
  fs::create_symlink(elsewhere / "secret.txt", folder / "a.txt");
  fs::create_symlink("b.caption", folder / "b.txt");  // a link that stays inside
  auto request = request_of(folder.path(), true);
  const auto message = refusal(request);
  EXPECT_TRUE(contains(message, "1 of 2 files cannot be used: [a.png] has a caption a.txt, a link that leads out of the folder"))
      << message;
  request.skip_broken = true;
  EXPECT_EQ(open_dataset(request).examples.front().caption, "inside");
  fs::create_symlink(elsewhere / "metadata.jsonl", folder / "metadata.jsonl");
  EXPECT_TRUE(contains(refusal(request), "metadata.jsonl] is a link that leads out of the folder"));
}

TEST(Captions, BelongToThePictureOfTheirNameInEitherFormOfUnicode) {
  const std::string composed = "caf\xc3\xa9", decomposed = "cafe\xcc\x81";
  for (const auto& [typed, stored] : {std::pair(composed, decomposed), std::pair(decomposed, composed)}) {
    const TemporaryFolder folder;
    make_folder(folder / stored);
    for (const auto& name : {stored + ".png", stored + "2.png", stored + "/" + stored + ".png"}) write_picture(folder / name);
    write_atomically(folder / names::metadata_jsonl, "{\"file_name\":\"" + typed + ".png\",\"text\":\"one\"}\n{\"file_name\":\"" +
                                                         typed + "/" + typed + ".png\"}\n");
    write_atomically(folder / (typed + "2.txt"), "two");
    write_atomically(folder.path() / stored / (typed + ".txt"), "three");
    const Dataset dataset = open_dataset(request_of(folder.path(), true));
    EXPECT_EQ(names_of(dataset), (Names{stored + ".png", stored + "/" + stored + ".png", stored + "2.png"}));
    EXPECT_EQ(dataset.examples[0].caption, "one");
    EXPECT_EQ(dataset.examples[1].caption, "three");
    EXPECT_EQ(dataset.examples[2].caption, "two");
    write_atomically(folder / names::metadata_jsonl,
                     "{\"file_name\":\"" + typed + ".png\"}\n{\"file_name\":\"" + stored + ".png\"}\n");
    EXPECT_TRUE(contains(refusal(request_of(folder.path(), true), ErrorKind::file_format), "a second time"));
  }
}

TEST(Captions, BrokenMetadataNamesTheLine) {
  const TemporaryFolder folder;
  write_picture(folder / "a.png");
  const std::tuple<const char*, ErrorKind, const char*> broken[] = {
      {"{\"file_name\":\"a.png\"", ErrorKind::file_format, "metadata.jsonl:1]"},
      {"\n[]", ErrorKind::file_format, "metadata.jsonl:2]"},
      {"{\"text\":\"x\"}", ErrorKind::missing_key, "has no \"file_name\""},
      {"{\"file_name\":3,\"text\":\"x\"}", ErrorKind::file_format, "expected a string"},
      {"{\"file_name\":\"a.png\",\"text\":3}", ErrorKind::file_format, "expected a string"},
      {"{\"file_name\":\"a.png\",\"text\":\"caf\xe9\"}", ErrorKind::file_format, "metadata.jsonl:1]"},
      {"{\"file_name\":\"a.png\",\"text\":\"x\"}\n{\"file_name\":\"./a.png\",\"text\":\"y\"}", ErrorKind::file_format,
       "names a.png a second time"},
      {"{\"file_name\":\"b.png\",\"text\":\"x\"}", ErrorKind::input, "[b.png] is not there"},
      {"{\"file_name\":\"metadata.jsonl\",\"text\":\"x\"}", ErrorKind::input, "[metadata.jsonl] is a text file, expected a PNG"}};
  for (const auto& [text, kind, part] : broken) {
    write_atomically(folder / names::metadata_jsonl, text);
    const auto message = refusal(request_of(folder.path(), true), kind);
    EXPECT_TRUE(contains(message, part)) << text << ": " << message;
  }
}

}  // namespace negativa
