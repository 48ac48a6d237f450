#include "core/device.h"

#include <gtest/gtest.h>

namespace negativa {

TEST(DTypeName, LeadsBackToItsDtype) {
  for (const char* name :
       {"fp32", "fp16", "bf16", "fp64", "int8", "uint8", "int16", "int32", "int64", "bool", "fp8_e4m3", "fp8_e5m2"})
    EXPECT_EQ(dtype_name(dtype_from_name(name)), name);
  EXPECT_EQ(dtype_from_name("bf16"), at::kBFloat16);
  EXPECT_EQ(dtype_from_name("fp8_e4m3"), at::kFloat8_e4m3fn);
}

TEST(DTypeName, IsRefusedWhenUnknown) {
  try {
    dtype_from_name("float32");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_STREQ(error.what(), "[dtype] got \"float32\", expected fp32, fp16, bf16 or int8");
  }
}

TEST(DTypeBytes, AreThoseOfTheStoredElement) {
  for (const auto dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble, at::kChar, at::kByte, at::kLong, at::kBool})
    EXPECT_EQ(dtype_bytes(dtype), static_cast<int64_t>(at::empty({1}, dtype).element_size()));
  EXPECT_EQ(dtype_bytes(at::kFloat8_e5m2), 1);
}

TEST(HardwareThreads, AreAtLeastOne) { EXPECT_GE(hardware_threads(), 1); }

}  // namespace negativa
