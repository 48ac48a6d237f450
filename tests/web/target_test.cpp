#include "web/target.h"

#include <gtest/gtest.h>

namespace negativa::web {

TEST(Target, IsDecodedOnce) {
  const auto target = parse_target("/api/v1/files/a%20b/%252e%252e?q=a+b%26c&empty=&flag");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->segments, (std::vector<std::string>{"api", "v1", "files", "a b", "%2e%2e"}));
  EXPECT_EQ(target->query.at("q"), "a b&c");
  EXPECT_EQ(target->query.at("empty"), "");
  EXPECT_EQ(target->query.at("flag"), "");
  EXPECT_TRUE(parse_target("/")->segments.empty());
}

TEST(Target, ThatLeadsElsewhereIsRefused) {
  for (const char* text :
       {"",       "a",      "//",         "/a//b",  "/a/", "/..", "/a/../b", "/./a", "/a/%2e%2e/b",   "/%2E./b",
        "/a%2fb", "/a%5cb", "/a%00b",     "/a%0ab", "/%",  "/%4", "/%zz",    "/%ff", "/%c0%ae%c0%ae", "http://127.0.0.1/a",
        "*",      "/a#b",   "/a?x=1&x=2", "/a?x=%f"})
    EXPECT_FALSE(parse_target(text)) << text;
}

TEST(Target, ThatIsHandedOutReadsBack) {
  const std::string name = "a b/ü?&%#+\"<";
  const auto target = parse_target("/x?name=" + url_encoded(name));
  ASSERT_TRUE(target);
  EXPECT_EQ(target->query.at("name"), name);
}

}  // namespace negativa::web
