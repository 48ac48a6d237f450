#include "environment.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"

namespace negativa::cli {

TEST(Environment, ADateIsSecondsSince1970) {
  EXPECT_EQ(parse_date("1700000000"), 1700000000);
  for (const char* text : {"yesterday", "-1", "12.5", "99999999999999", "1 "})
    EXPECT_NE(error_of(ErrorKind::input, [&] { parse_date(text); }).find("SOURCE_DATE_EPOCH"), std::string::npos) << text;
}

TEST(Environment, NamesThePlaces) {
  ::setenv("NEGATIVA_MODELS", "/somewhere/models", 1);
  ::setenv("XDG_CACHE_HOME", "/somewhere/cache", 1);
  ::setenv("SOURCE_DATE_EPOCH", "12", 1);
  const Places places = places_of_environment();
  EXPECT_EQ(places.models, "/somewhere/models");
  EXPECT_EQ(places.cache, "/somewhere/cache/negativa");
  EXPECT_EQ(places.build_date_s, 12);
  EXPECT_TRUE(places.bundled) << "found by walking up from the test program";
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("SOURCE_DATE_EPOCH");
  ::setenv("NEGATIVA_MODELS", "", 1);
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(places_of_environment().models, "/home/someone/.local/share/negativa/models");
  EXPECT_EQ(places_of_environment().cache, "/home/someone/.cache/negativa");
  ::unsetenv("HOME");
  EXPECT_EQ(places_of_environment().cache, "");
}

}  // namespace negativa::cli
