// Numbers are read and written the same wherever the program runs. tests/text has the same for weights in prompts.
#include "base/config.h"
#include "base/json.h"
#include "base/text.h"
#include "comma_locale.h"

namespace negativa {

namespace {

struct Options {
  double guidance = 7.5;
  float rescale = 0.1f;
  int64_t steps = 1234567;
  uint64_t seed = 18446744073709551615u;
  std::string text = "1,5";
  static void visit(auto& self, auto& v) {
    v("guidance", self.guidance, range(0.5, 2000.5), "a double");
    v("rescale", self.rescale, "a float");
    v("steps", self.steps, range(1, 10000000), "an integer");
    v("seed", self.seed, "an unsigned integer");
    v("text", self.text, "a text");
  }
};

// All that a number goes through between people, files and records.
std::string everything() {
  Options options;
  Fields fields = fields_of(options);
  std::string text = help_text(fields) + print_config(fields) + canonical_json(to_json(fields)) + to_json(fields).dump(2);
  set_from_json(fields, parse_toml("guidance = 1234.5\nrescale = 2.5e-3\nsteps = 7654321", "t"), {Source::file, "t"});
  text += print_config(fields);
  set_from_json(fields, parse_json("{\"guidance\": 1234.25, \"rescale\": 0.7, \"seed\": 9007199254740993}", "j"),
                {Source::file, "j"});
  text += print_config(fields);
  set_from_text(*find_field(fields, "guidance"), "0.75", {Source::flag, "--guidance"});
  set_from_text(*find_field(fields, "rescale"), "1e-3", {Source::flag, "--rescale"});
  text += print_config(fields);
  for (const char* wrong : {"0,75", "1.000,5", "1,000", "0.25"})
    text += error_of(ErrorKind::input, [&] {
      set_from_text(*find_field(fields, "guidance"), wrong, {Source::flag, "--guidance"});
    });
  for (const char* number : {"1.5", "+.5", "1,5", "1.000", "", "+", "1e400", "nan"})
    text += fmt::format("{};", number_from(number).value_or(-1));
  return text;
}

}  // namespace

TEST(Locale, ChangesNoNumberThatIsReadOrWritten) {
  const std::string plain = everything();
  EXPECT_TRUE(contains(plain, "guidance = 1234.5 ")) << plain;
  EXPECT_TRUE(contains(plain, "1.5;0.5;-1;1;-1;-1;-1;-1;")) << plain;
  const test::CommaLocale comma;
  EXPECT_EQ(everything(), plain);
  if (!comma.of_c_library()) GTEST_SKIP() << test::no_comma_locale;
}

}  // namespace negativa
