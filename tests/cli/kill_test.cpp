// Trainings that are interrupted at random moments: each ends in the bytes of the one that was not. `make check` takes 100
// moments (CHECK_KILLS), `make test` a few. The seed of the moments is printed and can be given (CHECK_SEED); what a moment hits
// depends on the machine.
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <random>
#include <thread>

#include "base/files.h"
#include "base/sha256.h"
#include "program.h"

namespace negativa::test {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

enum class Phase { starting, encoding, loading, stepping, saving, validation, preview, ending };
constexpr const char* phase_names[] = {"starting", "encoding",   "loading", "stepping",
                                       "saving",   "validation", "preview", "ending"};
const char* name_of(Phase phase) { return phase_names[static_cast<int>(phase)]; }

// One kind of training: what is run, and its numbers as far as a phase is told by them.
struct Kind {
  Workplace::Arguments args;
  int64_t steps, validate_every;
  int64_t cached_files = 0;  // by a run that was not interrupted
};

Kind lora_kind(int64_t steps, int64_t validate_every) {
  return {{"train", "lora", "--data", "data", "--prompt", "wrong", "--flip", "--rank", "2", "--learning-rate", "1e-3"},
          steps,
          validate_every};
}

Kind embedding_kind(int64_t steps, int64_t validate_every) {
  return {{"train", "embedding", "--data", "data", "--name", "wrong-look", "--flip", "--learning-rate", "1e-2"},
          steps,
          validate_every};
}

// A folder with pictures to train on, to hold out, and nothing else; its cache is empty.
class Trial {
 public:
  explicit Trial(const Kind& kind) : kind_(kind) {
    for (const auto& [from, to] : {std::pair{"tall.png", "data"}, {"half_up.png", "data"}, {"wide_odd.PNG", "held-out"}}) {
      fs::create_directory(place_ / to);
      fs::copy_file(golden("dataset") / from, place_ / (std::string(to) + "/" + from));
    }
  }

  const Workplace& place() const { return place_; }
  Workplace::Arguments args() const {
    Workplace::Arguments args = kind_.args;
    args.insert(args.end(),
                {"--steps", std::to_string(kind_.steps), "--batch-size", "2", "--resolution", "32", "--checkpoint-every", "2"});
    args.insert(args.end(), {"--validate-every", std::to_string(kind_.validate_every), "--validation-data", "held-out",
                             "--validation-prompt", "a wrong-look", "-q", "-o", "a.safetensors"});
    return args;
  }

  // What tells how far a run came.
  struct Seen {
    bool has_run = false, is_writing = false, has_validation = false, has_preview = false, has_output = false;
    int64_t cached = 0, losses = 0, saved = 0;
    bool operator==(const Seen&) const = default;
  };
  Seen look() const;
  Phase phase(const Seen& now, const Seen& at_start) const;
  bool has_to_look(int64_t step) const { return step > 0 && (step == kind_.steps || step % kind_.validate_every == 0); }

 private:
  const Kind& kind_;
  Workplace place_;
};

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (fs::directory_iterator entry(folder, none); !none && entry != fs::directory_iterator(); entry.increment(none))
    names.push_back(entry->path().filename());
  return names;
}

std::string text_of(const fs::path& file) {
  try {
    return read_file(file);
  } catch (const Error&) {  // not there yet
    return "";
  }
}

int64_t whole_lines(const std::string& text) { return std::max<int64_t>(0, std::count(text.begin(), text.end(), '\n') - 1); }

Trial::Seen Trial::look() const {
  Seen seen;
  const fs::path run = place_ / "a.run";
  seen.has_run = fs::exists(run / "losses.csv");
  for (const auto& folder : {run, run / "previews", place_ / "."})
    for (const auto& name : names_in(folder)) {
      seen.is_writing |= name.find(".tmp-") != std::string::npos;
      if (name.starts_with("checkpoint-")) seen.saved = std::max<int64_t>(seen.saved, std::stoll(name.substr(11)));
    }
  for (const char* folder : {"latents", "embeds"})
    for (const auto& name : names_in(place_.cache() / folder)) seen.cached += !name.starts_with(".");
  seen.losses = whole_lines(text_of(run / "losses.csv"));
  seen.has_validation = text_of(run / "validation.csv").find("\n" + std::to_string(seen.saved) + ",") != std::string::npos;
  seen.has_preview = fs::exists(run / fmt::format("previews/{:08}.png", seen.saved));
  seen.has_output = fs::exists(place_ / "a.safetensors");
  return seen;
}

Phase Trial::phase(const Seen& now, const Seen& at_start) const {
  const bool is_encoded = now.has_run && now.cached >= kind_.cached_files;
  if (now == at_start) return is_encoded ? Phase::loading : Phase::starting;  // what lies there is of the run before
  if (now.is_writing) return Phase::saving;
  if (!now.has_run) return Phase::starting;
  if (!is_encoded) return Phase::encoding;
  if (now.losses == now.saved && has_to_look(now.saved)) {
    if (!now.has_validation) return Phase::validation;
    if (!now.has_preview) return Phase::preview;
  }
  if (now.losses == kind_.steps) return Phase::ending;
  return now.losses == 0 ? Phase::loading : Phase::stepping;
}

// A file under its final name is whole.
void expect_whole(const fs::path& file) {
  const std::string extension = file.extension(), bytes = read_file(file);
  SCOPED_TRACE(file.string());
  if (extension == ".safetensors") {
    uint64_t header = 0, end = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    for (const auto& tensor : tensors_of(file)) end = std::max(end, tensor["data_offsets"][1].get<uint64_t>());
    EXPECT_EQ(bytes.size(), 8 + header + end);
  } else if (extension == ".png") {
    EXPECT_GT(picture(file).width, 0);
  } else if (extension == ".json") {
    EXPECT_NO_THROW(parse_json(bytes, file.string()));
  } else if (extension == ".csv" || extension == ".toml") {
    EXPECT_TRUE(bytes.ends_with('\n')) << bytes;
  }
}

void expect_all_whole(const Trial& trial) {
  for (const auto& folder : {trial.place() / "a.run", trial.place().cache(), trial.place() / "a.safetensors"}) {
    if (!fs::exists(folder)) continue;
    if (!fs::is_directory(folder))
      expect_whole(folder);
    else
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && !entry.path().filename().string().starts_with('.')) expect_whole(entry.path());
  }
}

// All but the checkpoint before the last: where a run was stopped, that is one of another step.
std::vector<std::string> files_of(const Trial& trial) {
  std::vector<std::string> names = trial.place().files(), checkpoints;
  for (const auto& name : names)
    if (contains(name, "/checkpoint-")) checkpoints.push_back(name);
  std::erase_if(names, [&](const auto& name) { return contains(name, "/checkpoint-") && name != checkpoints.back(); });
  return names;
}

void expect_same(const Trial& trial, const Trial& whole) {
  ASSERT_EQ(files_of(trial), files_of(whole));
  for (const auto& name : files_of(whole)) {
    if (fs::is_directory(whole.place() / name) || name == "a.run/run.json") continue;  // that one tells seconds
    EXPECT_EQ(sha256_file(trial.place() / name), sha256_file(whole.place() / name)) << name;
  }
}

struct Signals {
  const char* name;
  std::vector<int> sent;
};
const Signals all_signals[] = {
    {"INT", {SIGINT}}, {"TERM", {SIGTERM}}, {"KILL", {SIGKILL}}, {"INT twice", {SIGINT, SIGINT}}, {"HUP", {SIGHUP}}};

class Killer {
 public:
  explicit Killer(uint64_t seed) : random_(seed) {}

  // One moment in the run that `trial` is at; false: it came to its end before.
  bool interrupt(const Trial& trial, Phase aim) {
    const auto at_start = trial.look();
    const Signals& signals = all_signals[below(std::size(all_signals))];
    const pid_t child = trial.place().start(trial.args());
    wait_for(aim, trial, at_start, child);
    const Phase hit = trial.phase(trial.look(), at_start);
    for (const int signal : signals.sent) ::kill(child, signal);
    const int code = exit_code_of(child);
    if (code == 0) return false;
    SCOPED_TRACE(fmt::format("{} in {}", signals.name, name_of(hit)));
    ++hits_[hit][signals.name];
    expect_all_whole(trial);
    const bool may_not_listen_yet = hit == Phase::starting || hit == Phase::loading;
    EXPECT_TRUE(signals.sent == std::vector{SIGKILL} ? code == -1 : code == 130 || (code == -1 && may_not_listen_yet)) << code;
    const auto left = trial.look();
    EXPECT_TRUE(left.saved == left.losses || signals.sent.size() == 2 || code != 130)
        << left.losses << " steps were done, " << left.saved << " are saved";
    return true;
  }

  uint64_t below(uint64_t count) { return random_() % count; }

  void print() const {
    for (const auto& [phase, signals] : hits_) {
      std::string line;
      int all = 0;
      for (const auto& [name, count] : signals) {
        line += fmt::format(", {} {}", name, count);
        all += count;
      }
      std::cout << fmt::format("  {:<10} {:>3}{}\n", name_of(phase), all, line);
    }
  }

 private:
  static bool is_over(pid_t child) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
  }

  // Some way into a phase of that name, the first or a later one.
  void wait_for(Phase aim, const Trial& trial, const Trial::Seen& at_start, pid_t child) {
    uint64_t passes = aim == Phase::stepping || aim == Phase::saving ? below(3) : below(2);
    for (bool was_there = false; !is_over(child); std::this_thread::sleep_for(200us)) {
      const bool is_there = trial.phase(trial.look(), at_start) == aim;
      if (is_there && !was_there && passes-- == 0) break;
      was_there = is_there;
    }
    const std::map<Phase, uint64_t> lasts_us = {
        {Phase::starting, 150'000}, {Phase::encoding, 60'000},   {Phase::loading, 100'000}, {Phase::stepping, 40'000},
        {Phase::saving, 2'000},     {Phase::validation, 60'000}, {Phase::preview, 500'000}, {Phase::ending, 10'000}};
    std::this_thread::sleep_for(std::chrono::microseconds(below(lasts_us.at(aim))));
  }

  std::mt19937_64 random_;
  std::map<Phase, std::map<std::string, int>> hits_;
};

uint64_t number_in(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text && *text ? std::stoull(text) : otherwise;
}

TEST(KillTraining, InterruptedAtRandomMomentsItEndsInTheBytesOfAnUninterruptedRun) {
  constexpr uint64_t few = 3;
  const uint64_t moments = number_in("CHECK_KILLS", few), seed = number_in("CHECK_SEED", std::random_device()());
  std::cout << fmt::format("{} moments, CHECK_SEED={}\n", moments, seed);
  const bool is_short = moments <= few;
  std::vector<Kind> kinds{lora_kind(is_short ? 4 : 6, is_short ? 4 : 3)};
  if (!is_short) kinds.push_back(embedding_kind(6, 3));
  std::vector<std::unique_ptr<Trial>> whole;
  for (auto& kind : kinds) {
    whole.push_back(std::make_unique<Trial>(kind));
    whole.back()->place().results(whole.back()->args());
    kind.cached_files = whole.back()->look().cached;
  }
  Killer killer(seed);
  uint64_t done = 0, trials = 0;
  for (; done < moments && !testing::Test::HasFailure(); ++trials) {
    SCOPED_TRACE(fmt::format("CHECK_SEED={}, trial {}", seed, trials));
    const size_t kind = trials % 4 == 3 ? kinds.size() - 1 : 0;
    const Trial trial(kinds[kind]);
    // Up to three moments a trial, in the order in which a run comes to them.
    std::vector<uint64_t> aims(is_short ? moments - done : std::min<uint64_t>(1 + killer.below(3), moments - done));
    for (auto& aim : aims) aim = killer.below(std::size(phase_names));
    std::sort(aims.begin(), aims.end());
    for (const uint64_t aim : aims) done += killer.interrupt(trial, static_cast<Phase>(aim));
    trial.place().results(trial.args());
    expect_same(trial, *whole[kind]);
  }
  EXPECT_EQ(done, moments);
  std::cout << fmt::format("{} trials, interrupted in\n", trials);
  killer.print();
}

}  // namespace
}  // namespace negativa::test
