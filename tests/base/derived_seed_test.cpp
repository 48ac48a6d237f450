#include "base/derived_seed.h"

#include <gtest/gtest.h>

#include <set>

namespace negativa {

// Python: int(hashlib.sha256(b"0/noise/1").hexdigest()[:16], 16). A resumed run of another version must draw the same.
TEST(DerivedSeed, IsThatOfItsDefinition) {
  EXPECT_EQ(derived_seed(0, "noise", 1), 6272293394544659166u);
  EXPECT_EQ(derived_seed(18446744073709551615u, "timestep", 500), 7406708193578329732u);
}

TEST(DerivedSeed, DiffersInItsLow32BitsBySeedPurposeAndIndex) {
  std::set<uint32_t> seeds;
  for (uint64_t seed = 0; seed < 10; ++seed)
    for (const char* purpose : {"noise", "timestep"})
      for (uint64_t index = 0; index < 50; ++index) seeds.insert(static_cast<uint32_t>(derived_seed(seed, purpose, index)));
  EXPECT_EQ(seeds.size(), 1000u);
}

}  // namespace negativa
