// The program killed at random moments while it draws, trains, deletes, rates and imports: what it had answered is there
// afterwards, and the one thing that was under way is done or not. `make check` takes 50 moments (CHECK_KILLS), `make test` 5.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/files.h"
#include "studio_program.h"

namespace negativa::test {

namespace {

using namespace std::chrono_literals;

int kills() {
  const char* given = std::getenv("CHECK_KILLS");
  return given ? std::atoi(given) : 5;
}

struct Known {
  bool trashed = false;
  int64_t rating = 0;
};

// A person and what the studio has told them. A request without an answer may have been done or not.
class Person {
 public:
  Person(StudioProgram& studio, uint64_t seed) : studio_(studio), random_(seed) {}

  // Until the studio is gone.
  void use() {
    while (step()) {
    }
  }

  void check() {
    for (const auto& [name, known] : pictures_) {
      const Answer answer = studio_.get_bytes("pictures/" + name);
      if (name == pending_) {  // as it is now is how it is known from here on
        if (answer.status == 200) continue;
        EXPECT_TRUE(removing_) << name;
        continue;
      }
      ASSERT_EQ(answer.status, 200) << name << ": " << answer.body;
      const Json picture = parse_json(answer.body, name);
      EXPECT_EQ(picture["rating"], known.rating) << name;
      EXPECT_EQ(picture["trashed"], known.trashed) << name;
    }
    for (const auto& name : gone_) EXPECT_EQ(studio_.get_bytes("pictures/" + name).status, 404) << name;
    for (const char* trashed : {"0", "1"})
      for (const auto& picture : studio_.get(std::string("pictures?limit=500&trashed=") + trashed)["pictures"])
        EXPECT_TRUE(picture["damage"].is_null()) << picture;
    for (const uint64_t id : jobs_) EXPECT_EQ(studio_.get_bytes("jobs/" + std::to_string(id)).status, 200) << id;
    learn_pending();
  }

  const std::set<uint64_t>& jobs() const { return jobs_; }

 private:
  // false: the studio is gone.
  bool step() {
    switch (random_() % 6) {
      case 0:
        return queue("generate", {{"prompt", "p"}, {"steps", 2}, {"seed", random_() % 1000}});
      case 1:
        return jobs_.size() > most_jobs() || queue("train-lora", {{"data", "files/rejects"}, {"prompt", "wrong"}, {"steps", 2}});
      case 2:
        return import();
      case 3:
        return change("rating");
      default:
        return change(random_() % 2 ? "bin" : "rating");
    }
  }

  // So that what is queued is worked off between two kills.
  static size_t most_jobs() { return static_cast<size_t>(2 * kills()); }

  bool queue(const std::string& verb, const Json& options) {
    if (jobs_.size() > most_jobs()) return import();
    const Answer answer = studio_.post("jobs/" + verb, options.dump());
    if (answer.status == 0) return false;
    EXPECT_EQ(answer.status, 201) << answer.body;
    if (answer.status == 201) jobs_.insert(parse_json(answer.body, "job")["id"].get<uint64_t>());
    return true;
  }

  bool import() {
    const std::string name = "p" + std::to_string(imports_++) + ".png";
    // Ratings are of a picture's content, so each has its own.
    const std::string png = encode_png(Image8::filled(16, 16, {255, 255, 255}), {{"parameters", name}});
    const Answer answer = studio_.send("POST", "pictures?name=" + name, "application/octet-stream", png);
    if (answer.status == 0) return false;
    EXPECT_EQ(answer.status, 201) << answer.body;
    if (answer.status == 201) pictures_[parse_json(answer.body, "picture")["name"]] = {};
    return true;
  }

  bool change(const std::string& what) {
    if (pictures_.empty()) return import();
    const auto found = std::next(pictures_.begin(), static_cast<long>(random_() % pictures_.size()));
    auto& [name, known] = *found;
    pending_ = name;
    const int64_t rating = static_cast<int64_t>(random_() % 6);
    removing_ = what == "bin" && known.trashed && random_() % 2;
    const std::string action = what == "rating" ? "/rating" : removing_ ? "" : known.trashed ? "/restore" : "/trash";
    const std::string body = what == "rating" ? Json({{"rating", rating}}).dump() : "";
    const Answer answer =
        studio_.send(removing_ ? "DELETE" : "POST", "pictures/" + name + action, body.empty() ? "" : "application/json", body);
    if (answer.status == 0) return false;
    EXPECT_EQ(answer.status, 200) << answer.body;
    pending_.clear();
    if (what == "rating") {
      known.rating = rating;
    } else if (removing_) {
      gone_.insert(name);
      pictures_.erase(found);
    } else {
      known.trashed = !known.trashed;
    }
    return true;
  }

  void learn_pending() {
    if (pending_.empty()) return;
    const Answer answer = studio_.get_bytes("pictures/" + pending_);
    if (answer.status == 200) {
      const Json picture = parse_json(answer.body, pending_);
      pictures_[pending_] = {picture["trashed"], picture["rating"]};
    } else {
      gone_.insert(pending_);
      pictures_.erase(pending_);
    }
    pending_.clear();
  }

  StudioProgram& studio_;
  std::mt19937_64 random_;
  int imports_ = 0;
  std::map<std::string, Known> pictures_;
  std::set<std::string> gone_;
  std::set<uint64_t> jobs_;
  std::string pending_;  // the picture of a request that may not have been answered
  bool removing_ = false;
};

}  // namespace

TEST(KilledStudio, ComesBackWithItsQueueGalleryAndRatings) {
  StudioProgram studio;
  make_folder(studio.place() / "library/files/rejects");
  for (const char* name : {"a.png", "b.png"})
    write_atomically(studio.place() / "library/files/rejects" / name, encode_png(Image8::filled(64, 64, {9, 99, 199})));
  std::mt19937_64 random(1);
  Person person(studio, 2);
  for (int i = 0; i < kills() && !::testing::Test::HasFailure(); ++i) {
    std::thread death([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20 + random() % 200));
      studio.kill();
    });
    person.use();
    death.join();
    studio.kill_and_restart();
    person.check();
  }
  for (const uint64_t id : person.jobs()) {
    const std::string path = "jobs/" + std::to_string(id);
    if (studio.get(path)["state"] == "held") {  // it ran at two deaths
      EXPECT_EQ(studio.post(path + "/release", "").status, 200);
    }
    const Json job = studio.job_when_over(id);
    EXPECT_EQ(job["state"], "done") << job;
  }
}

TEST(KilledStudio, HoldsAJobThatRanAtTwoDeaths) {
  StudioProgram studio;
  const uint64_t id = studio.submit("generate", {{"prompt", "long"}, {"seed", 1}, {"steps", 1000}});
  const std::string path = "jobs/" + std::to_string(id);
  for (int death = 0; death < 2; ++death) {
    for (int i = 0; i < 1000 && studio.get(path)["state"] != "running"; ++i) std::this_thread::sleep_for(5ms);
    studio.kill_and_restart();
  }
  const Json job = studio.get(path);
  EXPECT_EQ(job["state"], "held") << job;
  EXPECT_FALSE(job["held_because"].is_null());
}

}  // namespace negativa::test
