#include "core/isa.h"

#include <ATen/Version.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "base/error.h"
#include "base/text.h"

namespace negativa {
namespace {

std::string message_of(const std::function<void()>& function) {
  try {
    function();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::input);
    return error.what();
  }
  return "";
}

TEST(InstructionSet, HasANameThatReadsBack) {
  for (const auto isa : {Isa::baseline, Isa::avx2, Isa::avx512}) EXPECT_EQ(isa_from_name(isa_name(isa), Isa::avx512), isa);
  EXPECT_EQ(isa_from_name("auto", Isa::avx2), Isa::avx2);
  EXPECT_EQ(message_of([] { isa_from_name("sse9", Isa::avx2); }),
            "[--isa] got \"sse9\", expected auto, baseline, avx2 or avx512");
}

TEST(InstructionSet, OfMoreThanTheMachineHasIsRefused) {
  EXPECT_EQ(message_of([] { isa_from_name("avx512", Isa::avx2); }),
            "[--isa] got avx512, but this machine has no more than avx2; try --isa auto");
  EXPECT_EQ(isa_from_name("baseline", Isa::baseline), Isa::baseline);
  EXPECT_LE(active_isa(), machine_isa());
}

TEST(InstructionSet, StaysAsItIsOnceItIsInUse) {
  const Isa active = active_isa();
  EXPECT_NO_THROW(choose_isa(active));
  EXPECT_NO_THROW(check_isa("auto"));
  EXPECT_NO_THROW(check_isa(isa_name(active)));
  const Isa other = active == Isa::baseline ? Isa::avx2 : Isa::baseline;
  const auto expected = fmt::format("[--isa] got {0}, but this process computes with {1}; start it with --isa {0}",
                                    isa_name(other), isa_name(active));
  EXPECT_EQ(message_of([&] { choose_isa(other); }), expected);
  EXPECT_EQ(active_isa(), active);
}

// The libraries are bound as well, or a picture would depend on more than its recipe says.
TEST(InstructionSet, BindsTheLibrariesBeneath) {
  EXPECT_EQ(library_caps(Isa::avx2).size(), 3u);
  EXPECT_EQ(library_caps(Isa::baseline).size(), 4u);
  for (const auto& [variable, value] : library_caps(Isa::avx512)) EXPECT_STREQ(variable, "ATEN_CPU_CAPABILITY");
  const char* asked = std::getenv("NEGATIVA_TEST_ISA");  // as tests/main.cpp reads it
  const std::string expected = isa_from_name(asked ? asked : "auto") == Isa::baseline ? "DEFAULT" : isa_name(active_isa());
  EXPECT_EQ(ascii_lower(at::get_cpu_capability()), ascii_lower(expected));
}

}  // namespace
}  // namespace negativa
