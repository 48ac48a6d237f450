#include "web/base64.h"

#include <gtest/gtest.h>

namespace negativa::web {

// RFC 4648, section 10.
TEST(Base64, WritesAndReadsTheTestVectors) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base64_from(bytes), text);
    EXPECT_EQ(bytes_from_base64(text), bytes);
  }
}

TEST(Base64, KeepsEveryByte) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(bytes_from_base64(base64_from(bytes)), bytes);
}

TEST(Base64, RefusesWhatIsNone) {
  for (const char* text : {"Zm9v!", "Zm 9v", "Zm9v\n", "Zg==Zg==", "\xff"}) EXPECT_FALSE(bytes_from_base64(text)) << text;
}

}  // namespace negativa::web
