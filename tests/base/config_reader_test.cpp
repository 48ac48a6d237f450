#include "base/config_reader.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/temporary_folder.h"

namespace negativa {
namespace {

ConfigReader reader_of(const std::string& text) { return {text, "m/config.json"}; }

template <class F>
std::string refusal_of(const std::string& text, F read) {
  return error_of(ErrorKind::file_format, [&] { read(reader_of(text)); });
}

TEST(ConfigReader, ReadsValuesAndLeavesDefaultsForAbsentAndNullKeys) {
  const auto reader = reader_of(R"({"size": 3, "rate": 2, "on": true, "names": ["a", "b"], "low": -Infinity, "gone": null,
                                    "part": {"list": [{"x": 1.5}]}})");
  int64_t size = 1, gone = 7;
  double rate = 0.5, low = 0;
  reader.read_size("size", size);
  reader.read_size("gone", gone);
  reader.read_positive("rate", rate);
  reader.read_number("low", low);
  EXPECT_EQ(size, 3);
  EXPECT_EQ(gone, 7);
  EXPECT_EQ(rate, 2);
  EXPECT_EQ(low, -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(reader.get("on", false));
  EXPECT_FALSE(reader.get("off", false));
  EXPECT_FALSE(reader.has("gone"));
  EXPECT_EQ(reader.need<std::vector<std::string>>("names"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(reader.one_of("mode", "x", {"x", "y"}), "x");
  EXPECT_NO_THROW(reader.expect("mode", "x"));
  EXPECT_EQ(reader.object("part").objects("list").at(0).need<double>("x"), 1.5);
  EXPECT_TRUE(reader.object("none").objects("list").empty());
}

TEST(ConfigReader, NamesTheFileAndTheKeyWithItsPath) {
  EXPECT_EQ(refusal_of("[1]", [](const auto&) {}), "[m/config.json] got [1], expected a JSON object");
  EXPECT_EQ(error_of(ErrorKind::missing_key, [] { reader_of(R"({"a": null})").need<int64_t>("a"); }),
            "[m/config.json] has no \"a\", expected an integer");
  EXPECT_EQ(error_of(ErrorKind::missing_key, [] { reader_of(R"({"a": [{}]})").objects("a")[0].need<bool>("b"); }),
            "[m/config.json] has no \"a[0].b\", expected true or false");
  EXPECT_EQ(refusal_of(R"({"a": "1"})", [](const auto& r) { r.template get<int64_t>("a", 2); }),
            "[m/config.json] \"a\": got \"1\", expected an integer");
  EXPECT_EQ(refusal_of(R"({"a": [1, "2"]})", [](const auto& r) { r.template need<std::vector<int64_t>>("a"); }),
            "[m/config.json] \"a[1]\": got \"2\", expected an integer");
  EXPECT_EQ(refusal_of(R"({"a": {"b": {"c": 1}}})", [](const auto& r) { r.object("a").object("b").one_of("c", "", {}); }),
            "[m/config.json] \"a.b.c\": got 1, expected a string");
  EXPECT_EQ(refusal_of(R"({"a": 1})", [](const auto& r) { r.object("a"); }), "[m/config.json] \"a\": got 1, expected an object");
  EXPECT_EQ(refusal_of(R"({"a": {}})", [](const auto& r) { r.objects("a"); }),
            "[m/config.json] \"a\": got an object, expected a list");
  EXPECT_EQ(refusal_of(R"({"a": [{}, 3]})", [](const auto& r) { r.objects("a"); }),
            "[m/config.json] \"a[1]\": got 3, expected an object");
}

TEST(ConfigReader, RefusesValuesOutsideTheirRangeAndNumbersThatAreNone) {
  int64_t size = 1;
  double rate = 1;
  for (const std::string value : {"0", "-1", "1048577"})
    EXPECT_EQ(refusal_of("{\"a\": " + value + "}", [&](const auto& r) { r.read_size("a", size); }),
              "[m/config.json] \"a\": got " + value + ", expected 1 to 1048576");
  EXPECT_EQ(refusal_of(R"({"a": [4, 0]})", [](const auto& r) { r.need_sizes("a"); }),
            "[m/config.json] \"a[1]\": got 0, expected 1 to 1048576");
  EXPECT_EQ(refusal_of(R"({"a": []})", [](const auto& r) { r.need_sizes("a"); }),
            "[m/config.json] \"a\": got [], expected a list of at least one number");
  for (const std::string value : {"0", "-0.5", "inf"})
    EXPECT_EQ(
        refusal_of("{\"a\": " + (value == "inf" ? "Infinity" : value) + "}", [&](const auto& r) { r.read_positive("a", rate); }),
        "[m/config.json] \"a\": got " + value + ", expected more than 0");
  EXPECT_EQ(refusal_of(R"({"a": NaN})", [&](const auto& r) { r.read_number("a", rate); }),
            "[m/config.json] \"a\": got NaN, expected a number");
  EXPECT_EQ(refusal_of(R"({"a": -Infinity})", [&](const auto& r) { r.read("a", rate); }),
            "[m/config.json] \"a\": got -inf, expected a finite number");
  EXPECT_EQ(refusal_of(R"({"a": [1, NaN]})", [](const auto& r) { r.template need<std::vector<double>>("a"); }),
            "[m/config.json] \"a[1]\": got NaN, expected a number");
  EXPECT_EQ(refusal_of(R"({"a": "z"})",
                       [](const auto& r) {
                         r.one_of("a", "x", {"x", "y"});
                       }),
            "[m/config.json] \"a\": got \"z\", expected x or y");
  EXPECT_EQ(refusal_of(R"({"a": null})", [](const auto& r) { r.expect("a", 3, "; it is a test"); }),
            "[m/config.json] \"a\": got nothing, expected 3; it is a test");
}

}  // namespace
}  // namespace negativa
