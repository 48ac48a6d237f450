#include "engine/workers.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/error.h"
#include "core/own_thread.h"

namespace negativa {
namespace {

const CancelToken never;

TEST(Workers, DoEachPieceOnceWithTheIntraOpThreadsAskedFor) {
  Workers workers;
  const int mine = at::get_num_threads();
  for (const int threads : {1, 3}) {
    std::vector<std::atomic<int>> done(20);
    std::atomic<int> wrong = 0;
    workers.run({done.size(), 2, threads}, never, [&](size_t i) {
      ++done[i];
      wrong += at::get_num_threads() != threads;
    });
    for (const auto& count : done) EXPECT_EQ(count, 1);
    EXPECT_EQ(wrong, 0) << threads;
  }
  EXPECT_EQ(at::get_num_threads(), mine) << "the caller's thread keeps its own";
}

TEST(Workers, ThrowTheFirstErrorAndLeaveTheRest) {
  Workers workers;
  std::atomic<int> begun = 0;
  try {
    workers.run({100, 2, 1}, never, [&](size_t i) {
      ++begun;
      if (i == 3) fail(ErrorKind::machine, "the disk is full");
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    });
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the disk is full");
  }
  EXPECT_LT(begun, 100);
  std::atomic<int> again = 0;
  workers.run({5, 2, 1}, never, [&](size_t) { ++again; });
  EXPECT_EQ(again, 5) << "they go on serving";
}

TEST(Workers, AreStoppedBetweenTwoPieces) {
  Workers workers;
  CancelToken cancel;
  int done = 0;
  EXPECT_THROW(workers.run({10, 1, 1}, cancel,
                           [&](size_t) {
                             if (++done == 2) cancel.cancel();
                           }),
               Error);
  EXPECT_EQ(done, 2);
}

// Each waits for the other: it ends only where both run at once.
void expect_at_once(Workers& workers, const WorkShare& first, const WorkShare& second) {
  std::atomic<int> begun = 0;
  const auto meet = [&](size_t) {
    ++begun;
    for (int i = 0; i < 30'000 && begun < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(begun, 2);
  };
  std::thread other([&] { workers.run(second, never, meet); });
  workers.run(first, never, meet);
  other.join();
}

TEST(Workers, DoSmallAndLargeWorkAtOnce) {
  Workers workers;
  expect_at_once(workers, {1, 1, 1}, {1, 1, 2});
}

TEST(Workers, TakeTurnsBetweenRequests) {
  Workers workers;
  std::mutex mutex;
  std::vector<char> order;
  std::atomic<bool> long_one_runs = false;
  const auto work = [&](char name) {
    return [&, name](size_t) {
      long_one_runs = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard lock(mutex);
      order.push_back(name);
    };
  };
  std::thread other([&] {
    while (!long_one_runs) std::this_thread::yield();
    workers.run({3, 1, 1}, never, work('b'));
  });
  workers.run({300, 1, 1}, never, work('a'));
  other.join();
  ASSERT_EQ(order.size(), 303u);
  EXPECT_EQ(order.back(), 'a') << "the short request does not wait for the long one's end";
}

TEST(OwnThread, KeepsTheCallersNumberOfThreadsAndPassesErrorsOn) {
  const int mine = at::get_num_threads();
  EXPECT_EQ(on_own_thread(3, [] { return at::get_num_threads(); }), 3);
  EXPECT_THROW(on_own_thread(2, [] { fail(ErrorKind::input, "wrong"); }), Error);
  EXPECT_EQ(at::get_num_threads(), mine);
}

}  // namespace
}  // namespace negativa
