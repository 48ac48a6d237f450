// Of every test program: ctest starts one for each test, so how it ends counts.
#include <gtest/gtest.h>

#include "base/end_program.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  negativa::end_program(RUN_ALL_TESTS());
}
