#include "base/json.h"

#include <cmath>
#include <limits>

#include "base/config.h"
#include "temporary_folder.h"

namespace negativa {

TEST(Json, RefusesDeepNestingBeforeBuildingIt) {
  const std::string bomb(10'000'000, '[');
  EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { parse_json(bomb, "bomb.json"); }), "[bomb.json]"));
  const auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_NO_THROW(parse_json(nested(64), "x"));
  EXPECT_THROW(parse_json(nested(65), "x"), Error);
  EXPECT_NO_THROW(parse_json("\"" + std::string(100, '[') + "\\\"[[\"", "x"));  // brackets in a string are text
}

TEST(Json, RefusesDuplicateKeysUnlessTold) {
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [] { parse_json(R"({"a":{"b":1,"b":2}})", "x"); }), "\"b\" appears twice"));
  EXPECT_NO_THROW(parse_json(R"({"a":{"b":1},"b":{"b":2},"c":[{"b":1},{"b":1}]})", "x"));
  EXPECT_EQ(parse_json(R"({"b":1,"b":2})", "x", DuplicateKeys::last_wins)["b"], 2);
}

TEST(Json, RefusesBrokenTextInOneLine) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":nope}", "\"\xff\"", "\"\xc0\xaf\"", "\"a\nb\"", "1e999", "[1] [2]", "nul\x01"})
    EXPECT_TRUE(contains(error_of(ErrorKind::file_format, [&] { parse_json(text, "x.json"); }), "[x.json]")) << text;
}

TEST(Json, ReadsTheNumbersThatPythonWrites) {
  const Json value =
      parse_json(R"({"a": NaN, "b": [-Infinity,Infinity, -1], "NaN": "NaN", "c": "\"Infinity\\", "d": {"e":-Infinity}})", "x");
  EXPECT_TRUE(std::isnan(value["a"].get<double>()));
  EXPECT_EQ(value["b"], Json({-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity(), -1}));
  EXPECT_EQ(value["NaN"], "NaN");
  EXPECT_EQ(value["c"], "\"Infinity\\");
  EXPECT_TRUE(std::isinf(parse_json(R"({"e":-Infinity})", "x", DuplicateKeys::last_wins)["e"].get<double>()));
  for (const char* text : {"nan", "-NaN", "Infinit", "NaNa", "1NaN", "{NaN: 1}", "- Infinity"})
    EXPECT_THROW(parse_json(text, "x"), Error) << text;
}

TEST(Json, CanonicalTextSortsKeysAndKeepsFloatsFloats) {
  const Json value = parse_json(R"({"b": [1, 2.0, 1e-7, 1e300, -0.1], "a": {"z": null, "y": "ü\n\u0001"}, "A": true})", "x");
  EXPECT_EQ(canonical_json(value), R"({"A":true,"a":{"y":"ü\n\u0001","z":null},"b":[1,2.0,1e-07,1e+300,-0.1]})");
  EXPECT_EQ(parse_json(canonical_json(value), "x"), value);
  // The shortest text, where Grisu2 would give 17 digits (Loitsch 2010: 0.1 % of numbers).
  EXPECT_EQ(canonical_json(Json(5e-324)), "5e-324");
  EXPECT_THROW(canonical_json(Json(std::numeric_limits<double>::quiet_NaN())), Error);
  EXPECT_THROW(canonical_json(Json("\xff")), Error);
}

TEST(Json, TypedAccessNamesFileAndKey) {
  const Json config = parse_json(
      R"({"layers": 3, "rate": 2, "name": "x", "widths": [32, 64], "half": 2.5, "big": 3000000000, "none": null})", "c");
  EXPECT_EQ(get<int>(config, "layers", "c"), 3);
  EXPECT_EQ(get<float>(config, "rate", "c"), 2.0f);
  EXPECT_EQ(get<std::vector<int64_t>>(config, "widths", "c"), (std::vector<int64_t>{32, 64}));
  EXPECT_EQ(get_or<int>(config, "none", 7, "c"), 7);
  EXPECT_EQ(get_or<int>(config, "absent", 7, "c"), 7);
  EXPECT_TRUE(contains(error_of(ErrorKind::missing_key, [&] { get<int>(config, "absent", "unet/config.json"); }),
                       "[unet/config.json] has no \"absent\""));
  EXPECT_TRUE(
      contains(error_of(ErrorKind::file_format, [&] { get_or<int>(config, "half", 1, "c"); }), "got 2.5, expected an integer"));
  EXPECT_THROW(get<int>(config, "big", "c"), Error);
  EXPECT_THROW(get<int>(config, "name", "c"), Error);
  EXPECT_THROW(get<int>(Json::array(), "name", "c"), Error);
  EXPECT_THROW(get_object(config, "widths", "c"), Error);
}

namespace {
// Both ends of an integer type and their neighbours outside it, as text: signed and unsigned numbers of JSON, and TOML's, which
// are all signed.
template <class T>
void expect_exactly_the_range_of() {
  const auto least = static_cast<__int128>(std::numeric_limits<T>::min()),
             most = static_cast<__int128>(std::numeric_limits<T>::max());
  const auto digits = [](__int128 value) { return fmt::format("{}", value); };
  const auto holds = [](const Json& parsed) { return json_holds<T>(parsed["n"]); };
  constexpr __int128 toml_least = std::numeric_limits<int64_t>::min(), toml_most = std::numeric_limits<int64_t>::max();
  for (const __int128 value : {least - 1, least, __int128{0}, most, most + 1}) {
    const bool inside = least <= value && value <= most;
    EXPECT_EQ(holds(parse_json("{\"n\": " + digits(value) + "}", "x")), inside) << digits(value);
    if (toml_least <= value && value <= toml_most) {
      EXPECT_EQ(holds(parse_toml("n = " + digits(value), "x")), inside) << digits(value) << " from TOML";
    }
  }
}
}  // namespace

TEST(Json, AnIntegerTypeHoldsItsRangeFromJsonAndFromToml) {
  expect_exactly_the_range_of<int8_t>();
  expect_exactly_the_range_of<uint8_t>();
  expect_exactly_the_range_of<int16_t>();
  expect_exactly_the_range_of<uint16_t>();
  expect_exactly_the_range_of<int32_t>();
  expect_exactly_the_range_of<uint32_t>();
  expect_exactly_the_range_of<int64_t>();
  expect_exactly_the_range_of<uint64_t>();
  for (const char* text : {"\"12\"", "12.5", "12.0", "true", "null", "[12]"})
    EXPECT_FALSE(json_holds<int>(parse_json(text, "x"))) << text;
}

}  // namespace negativa
