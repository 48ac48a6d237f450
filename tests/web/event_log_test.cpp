#include "web/event_log.h"

#include <gtest/gtest.h>

namespace negativa::web {

TEST(EventLog, GoesOnAfterTheLastIdThatWasSeen) {
  EventLog log(100);
  for (int i = 0; i < 3; ++i) log.add("step", std::to_string(i));
  EXPECT_EQ(log.after(100).text,
            "id: 101\nevent: step\ndata: 0\n\nid: 102\nevent: step\ndata: 1\n\nid: 103\nevent: step\ndata: 2\n\n");
  const auto rest = log.after(102);
  EXPECT_EQ(rest.text, "id: 103\nevent: step\ndata: 2\n\n");
  EXPECT_EQ(rest.last_id, 103);
  EXPECT_EQ(log.after(103).text, "");
  EXPECT_EQ(log.after(100, 1).last_id, 101);
}

TEST(EventLog, AsksForEverythingAnewForAnIdThatIsNoLongerHeld) {
  EventLog log(100, 2);
  for (int i = 0; i < 5; ++i) log.add("step", std::to_string(i));
  EXPECT_EQ(log.after(103).text.substr(0, 8), "id: 104\n");
  for (const uint64_t id : {102, 100, 7, 0, 106, 4000}) {
    const auto batch = log.after(id);
    EXPECT_EQ(batch.text, "id: 105\nevent: resync\ndata: {}\n\n") << id;
    EXPECT_EQ(batch.last_id, 105) << id;
  }
}

TEST(EventLog, WakesWhoListens) {
  EventLog log;
  int woken = 0;
  const int listener = log.listen([&] { ++woken; });
  log.add("step", "{}");
  log.forget(listener);
  log.add("step", "{}");
  EXPECT_EQ(woken, 1);
}

}  // namespace negativa::web
