
#include "progress.h"

#include <gtest/gtest.h>

#include <csignal>
#include <thread>
#include <vector>

#include "base/temporary_folder.h"
#include "interrupt.h"
#include "stderr.h"

namespace negativa::cli {

TEST(Progress, SaysCountRateAndTimeLeft) {
  EXPECT_EQ(progress_bar("denoise", 25, 50, 2.0), "denoise  [############------------] 25/50  12.5 it/s  2 s left");
  EXPECT_EQ(progress_bar("denoise", 0, 50, 0.0), "denoise  [------------------------] 0/50");
  EXPECT_EQ(progress_line("train", 1, 500, 15.0), "train: 1/500  15.0 s/it  2 h 04 min left");
  EXPECT_EQ(progress_line("train", 500, 500, 100.0), "train: 500/500  5.0 it/s  in 1 min 40 s");
}

TEST(Progress, ManyFastStepsGiveOneLineAndQuietGivesNone) {
  testing::internal::CaptureStderr();
  {
    Progress progress("denoise", 1000, ProgressMode::lines);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 250; ++i) progress.tick();
      });
    for (auto& thread : threads) thread.join();
  }
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1) << lines;
  EXPECT_TRUE(contains(lines, "denoise: 1000/1000")) << lines;

  testing::internal::CaptureStderr();
  set_quiet(true);
  {
    Progress progress("denoise", 2);
    progress.tick(2);
    notice("{} pictures", 3);
  }
  set_quiet(false);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Log, NoticesAreOneLineOnStderr) {
  testing::internal::CaptureStderr();
  notice("using {}", "emoji-xl");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "negativa: using emoji-xl\n");
}

TEST(Cancel, TheFirstInterruptCancels) {
  EXPECT_EXIT(
      {
        static CancelToken token;
        install_interrupt_handler(token);
        token.throw_if_cancelled();
        ::raise(SIGINT);
        try {
          token.throw_if_cancelled();
        } catch (const Error& error) {
          _exit(error.kind() == ErrorKind::cancelled ? 7 : 8);
        }
      },
      testing::ExitedWithCode(7), "stopping");
}

TEST(Cancel, TheSecondInterruptEndsTheProgramAtOnce) {
  EXPECT_EXIT(
      {
        static CancelToken token;
        install_interrupt_handler(token);
        ::raise(SIGTERM);
        ::raise(SIGINT);
      },
      testing::ExitedWithCode(130), "stopping");
}

}  // namespace negativa::cli
