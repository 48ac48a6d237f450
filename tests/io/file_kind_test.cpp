// What is given in place of a safetensors file is called by its name.
#include "io/file_kind.h"

#include "io_test.h"

namespace negativa {

namespace {

std::string is(const std::string& bytes, const std::string& name = "x.safetensors") {
  const auto kind = foreign_file_kind(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), name);
  return kind ? kind->is : "";
}

std::string bytes_of(std::string_view bytes) { return std::string(bytes); }

struct Given {
  const char* what;
  std::string bytes;
};

std::vector<Given> foreign_files() {
  using namespace std::string_view_literals;
  return {{"git-LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 6938041050\n"},
          {"web page", "<!DOCTYPE html><html>"},
          {"web page", "\n  <html lang=\"en\">"},
          {"web page", "\xef\xbb\xbf<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"},
          {"JSON text", "{\"error\": \"Unauthorized\"}"},
          {"JSON text", "[1, 2, 3, 4, 5, 6, 7, 8]"},
          {"GGUF", bytes_of("GGUF\3\0\0\0\x92\1\0\0\0\0\0\0"sv)},
          {"pickle", bytes_of("PK\3\4\0\0\10\10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\22\0archive/data.pkl"sv)},
          {"pickle", bytes_of("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3."sv)},
          {"pickle", bytes_of("\x80\4\x95\x10\0\0\0\0\0\0\0}\x94."sv)},
          {"ZIP archive", bytes_of("PK\3\4\24\0\0\0\10\0my-lora.safetensors"sv)},
          {"packed archive", bytes_of("\x1f\x8b\10\10\0\0\0\0\0\3my-lora.safetensors"sv)},
          {"packed archive", bytes_of("7z\xbc\xaf\x27\x1c\0\4"sv)},
          {"JPEG picture", bytes_of("\xff\xd8\xff\xe0\0\20JFIF\0"sv)},
          {"PNG picture", bytes_of("\x89PNG\r\n\x1a\n\0\0\0\rIHDR"sv)},
          {"WebP picture", bytes_of("RIFF\x24\0\0\0WEBPVP8 "sv)},
          {"GIF picture", "GIF89a"},
          {"zero bytes", std::string(64, '\0')}};
}

}  // namespace

TEST(FileKind, IsSaidOfEveryKindByItsFirstBytes) {
  for (const auto& [what, bytes] : foreign_files())
    EXPECT_NE(is(bytes).find(what), std::string::npos) << what << ": got \"" << is(bytes) << "\"";
}

TEST(FileKind, SaysNothingOfSafetensorsWhateverTheLengthOfTheirHeaderLooksLike) {
  // As numbers of two bytes: "<h", "{\"", "[1", a pickle's protocol 2, gzip, JPEG, PK.
  for (const char* length : {"<h", "{\"", "[1", "\x80\2", "\x1f\x8b", "\xff\xd8", "PK"}) {
    EXPECT_EQ(is(std::string(length, 2) + std::string(6, '\0') + "{\"a\":{"), "") << length;
    EXPECT_EQ(is(std::string(length, 2) + std::string(6, '\0') + "damaged"), "")
        << length;  // the reader says what is wrong with it
  }
  EXPECT_EQ(is(read_bytes(emoji_xl() / "unet/diffusion_pytorch_model.safetensors"), "lora.pt"),
            "");  // what a file is its bytes tell
  EXPECT_EQ(is(""), "");
}

TEST(FileKind, KnowsAPickleByItsNameWhereItsBytesSayNothing) {
  for (const char* name : {"x.ckpt", "x.pt", "x.pth", "x.bin", "x.pkl"}) {
    EXPECT_NE(is("PK\x03\x04", name).find("pickle"), std::string::npos) << name;
    EXPECT_NE(is("PK", name).find("pickle"), std::string::npos) << name;
    EXPECT_NE(is("<html><body>404", name).find("web page"), std::string::npos) << name;
    EXPECT_NE(error_of(ErrorKind::file_format, [&] { check_not_foreign(name); }).find("lora convert"), std::string::npos) << name;
  }
}

TEST(FileKind, IsWhatOpeningAFileSaysAndWhatToDo) {
  const TemporaryFolder folder;
  for (const auto& [what, bytes] : foreign_files()) {
    write_bytes(folder / "x.safetensors", bytes);
    const auto message = error_of(ErrorKind::file_format, [&] { SafetensorsFile::open(folder / "x.safetensors"); });
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find("x.safetensors] is "), std::string::npos) << message;
    EXPECT_NE(message.find("; "), std::string::npos) << message;
  }
}

}  // namespace negativa
