#pragma once
// A process in a country that writes 1.234,5: numbers must be read and written as everywhere.
#include <clocale>
#include <cstdlib>
#include <locale>

#include "base/files.h"
#include "base/temporary_folder.h"

namespace negativa::test {

// While it lives: C++ streams have a comma and thousands, and so has the C library where localedef can make such a locale.
class CommaLocale {
 public:
  CommaLocale() : before_(std::locale::global(std::locale(std::locale::classic(), new Punctuation))) {
    write_atomically(folder_ / "source", "LC_NUMERIC\ndecimal_point \",\"\nthousands_sep \".\"\ngrouping 3;3\nEND LC_NUMERIC\n");
    const auto made = (folder_ / "comma").string();
    // -c: the other categories are missing, which is only warned of, with exit code 1.
    if (std::system(
            ("localedef -c -f ANSI_X3.4-1968 -i " + (folder_ / "source").string() + " " + made + " >/dev/null 2>&1").c_str()) < 0)
      return;
    ::setenv("LOCPATH", folder_.path().c_str(), 1);
    of_c_library_ = std::setlocale(LC_NUMERIC, "comma") != nullptr && std::strtod("1,5", nullptr) == 1.5;
  }
  ~CommaLocale() {
    std::setlocale(LC_NUMERIC, "C");
    ::unsetenv("LOCPATH");
    std::locale::global(before_);
  }
  CommaLocale(const CommaLocale&) = delete;

  bool of_c_library() const { return of_c_library_; }

 private:
  struct Punctuation : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
  };
  TemporaryFolder folder_;
  std::locale before_;
  bool of_c_library_ = false;
};

inline constexpr const char* no_comma_locale = "localedef is not here (package libc-bin): only C++ streams had a comma";

}  // namespace negativa::test
