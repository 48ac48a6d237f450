#include "engine/options.h"

#include "base/files.h"
#include "base/temporary_folder.h"

namespace negativa {

TEST(ParseSize, ReadsTwoNumbers) {
  const SizePx size = parse_size("768x1024", 'x', "--original-size");
  EXPECT_EQ(size.height, 768);
  EXPECT_EQ(size.width, 1024);
  EXPECT_EQ(parse_size("0,64", ',', "--crop-top-left").width, 64);
}

TEST(ParseSize, RefusesTheRestNamingTheFlag) {
  for (const char* text : {"", "x", "768", "768x", "x768", "768x1024x3", "768,1024", "-1x8", "7.5x8", "99999999999999999999x8"}) {
    const std::string message = error_of(ErrorKind::input, [&] { parse_size(text, 'x', "--target-size"); });
    EXPECT_TRUE(message.starts_with("[--target-size] got ")) << message;
  }
}

TEST(ParseInterval, ReadsSharesInOrder) {
  const auto interval = parse_interval("0.25:0.75");
  EXPECT_EQ(interval.begin, 0.25);
  EXPECT_EQ(interval.end, 0.75);
  for (const char* text : {"", ":", "0.5", "0.9:0.1", "-1:1", "0:1.5", "nan:1", "0:1:1", "a:b"})
    error_of(ErrorKind::input, [&] { parse_interval(text); });
  EXPECT_TRUE(
      error_of(ErrorKind::input, [] { parse_interval("1", "--negative-interval"); }).starts_with("[--negative-interval]"));
}

TEST(EmbeddingSpec, IsAFileWithOrWithoutAName) {
  const TemporaryFolder folder;
  const std::string odd = folder / "a=b.safetensors";
  write_atomically(odd, "");
  EXPECT_EQ(parse_embedding_spec("dir/bad.safetensors"), (EmbeddingSpec{"dir/bad.safetensors", {}}));
  EXPECT_EQ(parse_embedding_spec("dir/bad.safetensors=wrong"), (EmbeddingSpec{"dir/bad.safetensors", "wrong"}));
  EXPECT_EQ(parse_embedding_spec(odd), (EmbeddingSpec{odd, {}}));
  EXPECT_EQ(parse_embedding_spec(odd + "=c"), (EmbeddingSpec{odd, "c"}));
  for (const char* text : {"file=", "=name"}) error_of(ErrorKind::input, [&] { parse_embedding_spec(text); });
}

}  // namespace negativa
