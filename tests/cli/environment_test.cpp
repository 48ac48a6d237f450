#include "environment.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "jobs/experiment.h"

namespace negativa::cli {

TEST(Environment, ADateIsSecondsSince1970) {
  EXPECT_EQ(parse_date("1700000000"), 1700000000);
  for (const char* text : {"yesterday", "-1", "12.5", "99999999999999", "1 "})
    EXPECT_NE(error_of(ErrorKind::input, [&] { parse_date(text); }).find("SOURCE_DATE_EPOCH"), std::string::npos) << text;
}

TEST(Environment, NamesThePlaces) {
  ::setenv("NEGATIVA_MODELS", "/somewhere/models", 1);
  ::setenv("XDG_CACHE_HOME", "/somewhere/cache", 1);
  ::setenv("SOURCE_DATE_EPOCH", "12", 1);
  const Places places = places_of_environment();
  EXPECT_EQ(places.models, "/somewhere/models");
  EXPECT_EQ(places.cache, "/somewhere/cache/negativa");
  EXPECT_EQ(places.build_date_s, 12);
  EXPECT_TRUE(places.bundled) << "found by walking up from the test program";
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("SOURCE_DATE_EPOCH");
  ::setenv("NEGATIVA_MODELS", "", 1);
  ::setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(places_of_environment().models, "/home/someone/.local/share/negativa/models");
  EXPECT_EQ(places_of_environment().cache, "/home/someone/.cache/negativa");
  ::unsetenv("HOME");
  EXPECT_EQ(places_of_environment().cache, "");
}

namespace {

using Variables = std::vector<std::pair<const char*, const char*>>;

// Those of whoever runs the tests do not count.
Shard shard_with(const Variables& variables, bool waits = false) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_ARRAY_TASK_ID",
                           "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"})
    ::unsetenv(name);
  for (const auto& [name, value] : variables) ::setenv(name, value, 1);
  return shard_of_environment(waits);
}

void expect_shard(const Shard& shard, int rank, int size, bool waits) {
  EXPECT_EQ(shard.rank, rank);
  EXPECT_EQ(shard.size, size);
  EXPECT_EQ(shard.waits, waits);
}

}  // namespace

TEST(Environment, TellsTheRankThatMpirunOrSlurmGives) {
  expect_shard(shard_with({}), 0, 1, false);
  expect_shard(shard_with({{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "4"}}), 2, 4, true);
  expect_shard(shard_with({{"SLURM_PROCID", "1"}, {"SLURM_NTASKS", "3"}}), 1, 3, true);
  const Variables array = {{"SLURM_ARRAY_TASK_ID", "7"},
                           {"SLURM_ARRAY_TASK_MIN", "5"},
                           {"SLURM_ARRAY_TASK_COUNT", "4"},
                           {"SLURM_PROCID", "0"},
                           {"SLURM_NTASKS", "1"}};
  expect_shard(shard_with(array), 2, 4, false);
  expect_shard(shard_with(array, true), 2, 4, true);
}

TEST(Environment, RefusesRanksThatAreNone) {
  for (const auto& variables :
       {Variables{{"OMPI_COMM_WORLD_RANK", "2"}, {"OMPI_COMM_WORLD_SIZE", "2"}},
        Variables{{"OMPI_COMM_WORLD_RANK", "x"}, {"OMPI_COMM_WORLD_SIZE", "2"}},
        Variables{{"SLURM_PROCID", "3"}, {"SLURM_NTASKS", "3"}},
        Variables{{"SLURM_ARRAY_TASK_ID", "7"}, {"SLURM_ARRAY_TASK_MIN", "1"}, {"SLURM_ARRAY_TASK_COUNT", "4"}}})
    EXPECT_NE(error_of(ErrorKind::input, [&] { shard_with(variables); }).find(variables.front().first), std::string::npos);
  shard_with({});
  for (const char* shard : {"2/2", "-1/2", "1", "a/b", "1/2x", "0/0", "", "1/"})
    EXPECT_NE(error_of(ErrorKind::input, [&] { parse_shard(shard, false); }).find("--shard"), std::string::npos) << shard;
  expect_shard(parse_shard("0/4", true), 0, 4, true);
}

}  // namespace negativa::cli
