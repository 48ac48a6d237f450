#include <chrono>
#include <cstdio>
#include <thread>

#include "base/text.h"
#include "browser.h"
#include "host.h"
#include "options.h"
#include "people_text.h"
#include "rate_server.h"
#include "stderr.h"
#include "verbs.h"

namespace negativa::cli {

namespace {

struct RateOptions {
  std::vector<std::string> what, host_name;
  std::string arms, rater;
  std::optional<int> pairs;
  int port = 7862;
  bool open = false;

  static void visit(auto& self, auto& v) {
    v("what", self.what, flag("RUN"), "a run's folder; or two folders of pictures with the same prompts and seeds");
    v("arms", self.arms, "two or more of the run's arms, as nothing,article; default: those of its planned comparison");
    v("pairs", self.pairs, range(1, most_pairs),
      "how many pairs are rated before there is a verdict; default: 40, or all there are");
    v("rater", self.rater, "who rates, where there are several; each has pairs, order and sides of their own");
    v("port", self.port, range(0, 65535), "of the address that is printed; 0: a free one");
    v("open", self.open, "open the page in the browser");
    v("host_name", self.host_name,
      "name under which clients reach this page besides localhost, as from a container; may be repeated");
  }
};

RatableSet set_to_rate(const RateOptions& options) {
  check(!options.what.empty(), ErrorKind::input, "[rate] a run's folder is needed, or two folders of pictures; try runs/demo");
  check(options.what.size() <= 2, ErrorKind::input, "[rate] got {} folders, expected a run's or two of pictures",
        options.what.size());
  std::vector<std::string> arms;
  if (!options.arms.empty()) arms = split(options.arms, ',');
  if (options.what.size() == 1) {
    TerminalEvents events;
    return ratable_run(options.what.front(), arms, events);
  }
  check(arms.empty(), ErrorKind::input, "[--arms] goes with a run; of two folders each is an arm, leave it out");
  return ratable_folders(options.what[0], options.what[1]);
}

void say_progress(const RatingSession& session) {
  const RatingPlan& plan = session.plan();
  const size_t repeats = session.shown() - static_cast<size_t>(plan.pairs);
  const std::string again = repeats > 0 ? fmt::format(", and {} of them once more", repeats) : "";
  notice("{} pairs of {}{}; answers go to {}", plan.pairs, joined(plan.arms, " and "), again,
         (session.set().folder / pair_ratings_file).string());
  if (session.answered() > 0) notice("{} of {} are rated already", session.answered(), session.shown());
}

void say_end(const RatingSession& session) {
  std::printf("all %zu pairs are rated\n", session.shown());
  const RatableSet& set = session.set();
  if (!set.verdict_command.empty())
    std::printf("%s\n", set.verdict_command.c_str());
  else
    std::printf("%s", text_of(people_verdict(set, read_pair_ratings(set.folder / pair_ratings_file))).c_str());
  std::fflush(stdout);
}

}  // namespace

int run_rate(const Arguments& args) {
  RateOptions options;
  Fields fields = fields_of(options);
  if (!parse_command_line({"rate", "two pictures from two arms, which is better? without knowing whose they are", args}, fields))
    return 0;
  const auto note = [](const std::string& line) { notice("{}", line); };
  RatingSession session(set_to_rate(options), {options.rater, options.pairs}, note);
  say_progress(session);
  if (session.is_over()) {
    say_end(session);
    return 0;
  }
  const studio::RateServer server(session, {static_cast<uint16_t>(options.port), options.host_name}, note);
  std::printf("%s\n", server.url().c_str());
  std::fflush(stdout);
  if (options.open) open_browser(server.url());
  for (bool was_over = false; !interrupt_token().cancelled(); std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
    const bool is_over = server.is_over();
    if (is_over && !was_over) say_end(session);
    was_over = is_over;
  }
  return 0;
}

}  // namespace negativa::cli
