// A studio that is killed at random moments while it draws, deletes, rates, imports and queues: after each, its library holds
// what was done before, and the one thing that was under way is done or not. `make check` takes 50 moments (CHECK_KILLS), `make
// test` 5.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <sstream>
#include <thread>

#include "base/files.h"
#include "base/temporary_folder.h"
#include "library/library.h"

namespace negativa {

namespace {

void ignore(const std::string&) {}

struct Job {
  JobState state = JobState::queued;
  int64_t starts = 0;
  bool operator==(const Job&) const = default;
};

// What should be there.
struct Expected {
  std::map<std::string, bool> trashed;  // by a picture's name
  std::map<std::string, int64_t> rating;
  std::map<uint64_t, Job> jobs;
  bool operator==(const Expected&) const = default;
};

struct Act {
  std::string what, name;
  int64_t value = 0;
};

void apply(Expected& expected, const Act& act) {
  const auto id = static_cast<uint64_t>(act.value);
  if (act.what == "draw" || act.what == "import") expected.trashed[act.name] = false;
  if (act.what == "trash") expected.trashed[act.name] = true;
  if (act.what == "restore") expected.trashed[act.name] = false;
  if (act.what == "rate") expected.rating[act.name] = act.value;
  if (act.what == "remove") {
    expected.trashed.erase(act.name);
    expected.rating.erase(act.name);
  }
  if (act.what == "queue") expected.jobs[id] = {};
  if (act.what == "start") {
    expected.jobs[id].state = JobState::running;
    ++expected.jobs[id].starts;
  }
  if (act.what == "finish") expected.jobs[id].state = JobState::done;
}

std::string png_of(const std::string& name) {
  return encode_png(Image8::filled(32, 32, white), {{"parameters", name + "\nSteps: 1, Seed: 1"}});
}

void perform(Library& library, const Act& act) {
  const auto id = static_cast<uint64_t>(act.value);
  const std::filesystem::path file_name = std::filesystem::path(act.name).filename();
  if (act.what == "draw") {
    write_atomically(library.pictures_of(0) / file_name, png_of(act.name));
    library.gallery().add(act.name);
  }
  if (act.what == "import") library.gallery().import(file_name, png_of(act.name));
  if (act.what == "trash") library.gallery().move_to_trash(act.name);
  if (act.what == "restore") library.gallery().restore(act.name);
  if (act.what == "remove") library.gallery().remove_for_ever(act.name);
  if (act.what == "rate") library.gallery().rate(act.name, act.value);
  if (act.what == "queue") library.jobs().add({});
  if (act.what == "start")
    library.jobs().change(id, [](JobRecord& record) {
      record.state = JobState::running;
      ++record.starts;
    });
  if (act.what == "finish") library.jobs().change(id, [](JobRecord& record) { record.state = JobState::done; });
}

class Person {
 public:
  explicit Person(uint64_t seed, std::string mark) : random_(seed), mark_(std::move(mark)) {}

  Act next(const Expected& now) {
    const std::string number = mark_ + std::to_string(count_++);
    const std::string name = picture(now);
    const bool in_trash = !name.empty() && now.trashed.at(name);
    const auto unfinished = std::find_if(now.jobs.begin(), now.jobs.end(), [](const auto& job) {
      return job.second.state == JobState::queued || job.second.state == JobState::running;
    });
    switch (random_() % 8) {
      case 0:
        return {"import", "imported/" + number + ".png"};
      case 1:
        return {"queue", "job", static_cast<int64_t>(now.jobs.empty() ? 1 : now.jobs.rbegin()->first + 1)};
      case 2:
      case 3:
        if (unfinished == now.jobs.end()) break;
        return {unfinished->second.state == JobState::queued ? "start" : "finish", "job",
                static_cast<int64_t>(unfinished->first)};
      case 4:
        if (name.empty()) break;
        return {"rate", name, static_cast<int64_t>(1 + random_() % 5)};
      case 5:
      case 6:
        if (name.empty()) break;
        return {!in_trash ? "trash" : random_() % 2 ? "restore" : "remove", name};
    }
    return {"draw", "000000/" + number + ".png"};
  }

 private:
  std::string picture(const Expected& now) {
    if (now.trashed.empty()) return "";
    return std::next(now.trashed.begin(), static_cast<std::ptrdiff_t>(random_() % now.trashed.size()))->first;
  }
  std::mt19937_64 random_;
  std::string mark_;
  int count_ = 0;
};

// Uses the library until it is killed; says to `fd` what it begins and what is done.
[[noreturn]] void use(const std::filesystem::path& folder, Expected now, Person person, int fd) {
  try {
    Library library(folder, {}, ignore);
    while (true) {
      const Act act = person.next(now);
      write_all(fd, fmt::format("{} {} {}\n", act.what, act.name, act.value), "pipe");
      perform(library, act);
      write_all(fd, "done\n", "pipe");
      apply(now, act);
    }
  } catch (const std::exception& error) {
    write_all(fd, std::string("failed: ") + error.what() + "\n", "pipe");
  }
  ::_exit(1);
}

Expected found_in(Library& library) {
  Expected found;
  for (const bool trashed : {false, true}) {
    GalleryQuery query;
    query.trashed = trashed;
    query.limit = 500;
    for (const auto& picture : library.gallery().search(query).pictures) {
      found.trashed[picture.name] = picture.trashed;
      if (picture.rating > 0) found.rating[picture.name] = picture.rating;
      EXPECT_EQ(picture.damage, "");
      EXPECT_EQ(picture.prompt, picture.name);
    }
  }
  for (const auto& job : library.jobs().newest(1000000)) found.jobs[job.id] = {job.state, job.starts};
  return found;
}

// What ran waits again, or is held after its second start.
Expected restarted(Expected expected) {
  for (auto& [id, job] : expected.jobs)
    if (job.state == JobState::running) job.state = job.starts >= most_deaths ? JobState::held : JobState::queued;
  return expected;
}

uint64_t number_in(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::stoull(text) : otherwise;
}

// Starts one that uses the library, kills it after that time. What it had done goes into `expected`, what it had begun into the
// other; returns how many acts were done.
int kill_one(const std::filesystem::path& folder, Person person, std::chrono::microseconds after, Expected& expected,
             Expected& other) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    use(folder, expected, std::move(person), ends[1]);
  }
  ::close(ends[1]);
  std::this_thread::sleep_for(after);
  ::kill(child, SIGKILL);
  std::string text(1 << 20, '\0');
  size_t size = 0;
  for (ssize_t got; (got = ::read(ends[0], text.data() + size, text.size() - size)) > 0;) size += static_cast<size_t>(got);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  std::istringstream lines(text.substr(0, size));
  other = expected;
  int done = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(line.starts_with("failed")) << line;
    if (line == "done") {
      expected = other;
      ++done;
      continue;
    }
    Act act;
    std::istringstream(line) >> act.what >> act.name >> act.value;
    apply(other, act);
  }
  return done;
}

}  // namespace

TEST(KilledLibrary, HasWhatWasDoneAndTheRestIsDoneOrNot) {
  const uint64_t moments = number_in("CHECK_KILLS", 5), seed = number_in("CHECK_SEED", std::random_device()());
  SCOPED_TRACE(fmt::format("CHECK_SEED={}", seed));
  std::mt19937_64 random(seed);
  TemporaryFolder folder;
  Expected expected;
  int done = 0;
  for (uint64_t moment = 0; moment < moments; ++moment) {
    Expected other;
    const std::chrono::microseconds after(20000 + random() % 180000);
    done += kill_one(folder / "library", Person(random(), fmt::format("{}-", moment)), after, expected, other);
    if (moment % 3 == 2) std::filesystem::remove(folder / "library/index.sqlite");  // with its log: nothing but the files is left
    if (moment % 3 == 2) std::filesystem::remove(folder / "library/index.sqlite-wal");
    Library library(folder / "library", {}, ignore);
    const Expected found = found_in(library);
    EXPECT_TRUE(found == restarted(expected) || found == restarted(other)) << "moment " << moment;
    expected = found;
  }
  EXPECT_GT(done, static_cast<int>(moments));  // they came to use it
}

}  // namespace negativa
