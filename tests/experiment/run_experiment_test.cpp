// Two processes that start the same experiment, as two threads.
#include "experiment/run_experiment.h"

#include <gtest/gtest.h>

#include <thread>

#include "experiment/small_experiment.h"

namespace negativa {
namespace {

TEST(RunExperiment, OfTwoFirstStartsWithoutASeedBothUseTheOneThatWasDrawn) {
  const ExperimentFile file = parse_experiment(
      "[default]\nsteps = 1\n[prompts]\ndraw = \"look\"\nlook = [\"frog on a teal background\"]\n[arms.nothing]\n", "x.toml");
  ASSERT_FALSE(file.options.seed);
  for (int attempt = 0; attempt < 3; ++attempt) {
    const TemporaryFolder place;
    std::string hashes[2];
    const auto start = [&](int rank) {
      try {
        hashes[rank] = run_experiment(test::engine(), {file, place / "run", {rank, 2, true}}, test::nobody()).plan.hash();
      } catch (const Error& error) {
        hashes[rank] = error.what();
      }
    };
    std::thread other([&] { start(1); });
    start(0);
    other.join();
    EXPECT_EQ(hashes[0], hashes[1]);
  }
}

}  // namespace
}  // namespace negativa
