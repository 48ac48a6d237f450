// Of every test program: ctest starts one for each suite or test, so how it ends counts.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "base/end_program.h"
#ifdef NEGATIVA_TESTS_OF_TORCH
#include "base/error.h"
#include "core/isa.h"
#endif

namespace {

constexpr int skipped = 77;  // ctest's SKIP_RETURN_CODE

// A suite is skipped aloud where none of its tests ran: a test that some machines skip has a suite of its own.
int exit_code(int result) {
  const auto& tests = *testing::UnitTest::GetInstance();
  return result == 0 && tests.skipped_test_count() > 0 && tests.successful_test_count() == 0 ? skipped : result;
}

// $NEGATIVA_TEST_ISA, as --isa of the program. False: the machine does not have it.
bool use_isa_of_environment() {
#ifdef NEGATIVA_TESTS_OF_TORCH
  const char* name = std::getenv("NEGATIVA_TEST_ISA");
  if (!name) return true;
  try {
    negativa::choose_isa(negativa::isa_from_name(name));
  } catch (const negativa::Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return false;
  }
  for (const auto& [variable, value] : negativa::library_caps(negativa::active_isa())) ::setenv(variable, value, 1);
#endif
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (!use_isa_of_environment()) negativa::end_program(skipped);
  negativa::end_program(exit_code(RUN_ALL_TESTS()));
}
