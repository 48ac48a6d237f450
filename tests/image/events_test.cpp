#include "image/events.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace negativa {
namespace {

struct Counted : EventSink {
  std::vector<std::string> notices;
  std::vector<int64_t> steps;
  bool at_once = false, busy = false;
  void on_notice(const std::string& text) override { notices.push_back(text); }
  void on_step(const StepEvent& event) override {
    at_once = at_once || busy;
    busy = true;
    std::this_thread::yield();
    steps.push_back(event.done);
    busy = false;
  }
};

TEST(RequestEvents, ComeOneAtATimeWhateverThreadsTheyComeFrom) {
  Counted heard;
  RequestEvents events(heard);
  {
    Stage stage(events, "denoise", 400);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] {
        for (int k = 0; k < 100; ++k) stage.tick();
      });
    for (auto& thread : threads) thread.join();
  }
  EXPECT_FALSE(heard.at_once);
  ASSERT_EQ(heard.steps.size(), 401u) << "that it begins is one more";
  for (size_t i = 0; i < heard.steps.size(); ++i) EXPECT_EQ(heard.steps[i], static_cast<int64_t>(i));
}

TEST(RequestEvents, SayEachNoticeOnce) {
  Counted heard;
  RequestEvents events(heard);
  for (const char* text : {"a", "b", "a"}) events.on_notice(text);
  EXPECT_EQ(heard.notices, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace negativa
