// Of every test program: ctest starts one for each suite or test, so how it ends counts.
#include <gtest/gtest.h>

#include "base/end_program.h"

namespace {

constexpr int skipped = 77;  // ctest's SKIP_RETURN_CODE

// A suite is skipped aloud where none of its tests ran: a test that some machines skip has a suite of its own.
int exit_code(int result) {
  const auto& tests = *testing::UnitTest::GetInstance();
  return result == 0 && tests.skipped_test_count() > 0 && tests.successful_test_count() == 0 ? skipped : result;
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  negativa::end_program(exit_code(RUN_ALL_TESTS()));
}
