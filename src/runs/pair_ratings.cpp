#include "runs/pair_ratings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr size_t most_notices = 20;

constexpr std::pair<PairAnswer, const char*> answer_words[] = {
    {PairAnswer::left, "left"}, {PairAnswer::right, "right"}, {PairAnswer::equal, "equal"}, {PairAnswer::both_bad, "both_bad"}};

const char* word_of(PairAnswer answer) {
  for (const auto& [known, word] : answer_words)
    if (known == answer) return word;
  fail(ErrorKind::input, "[ratings] got the answer {}, expected left, right, equal or both_bad", static_cast<int>(answer));
}

PairAnswer answer_of(const std::string& given, std::string_view where) {
  const auto answer = pair_answer_from(given);
  check(answer.has_value(), ErrorKind::file_format, "[{}] \"answer\": got {}, expected left, right, equal or both_bad", where,
        json_excerpt(given));
  return *answer;
}

// Below the folder of the file, and nowhere else: whoever reads the answers opens these.
std::string picture_of(const Json& line, const std::string& key, std::string_view where) {
  const std::string name = get<std::string>(line, key, where);
  const fs::path path(name);
  bool stays = path.is_relative() && path.has_filename() && name.find('\0') == std::string::npos;
  for (const auto& part : path) stays = stays && part != "..";
  check(stays, ErrorKind::file_format, "[{}] \"{}\": got {}, expected a path below the folder", where, key,
        json_excerpt(Json(name)));
  return name;
}

RatingPlan plan_of(const Json& line, std::string_view where) {
  RatingPlan plan;
  plan.id = get<std::string>(line, "id", where);
  plan.rater = get<std::string>(line, "rater", where);
  plan.arms = get<std::vector<std::string>>(line, "arms", where);
  plan.pairs = get<int>(line, "pairs", where);
  plan.seed = get<uint64_t>(line, "seed", where);
  check(!plan.id.empty(), ErrorKind::file_format, "[{}] \"id\" is empty", where);
  check(plan.pairs > 0 && plan.pairs <= most_pairs, ErrorKind::file_format, "[{}] \"pairs\": got {}, expected 1 to {}", where,
        plan.pairs, most_pairs);
  const std::set<std::string> different(plan.arms.begin(), plan.arms.end());
  check(plan.arms.size() >= 2 && different.size() == plan.arms.size(), ErrorKind::file_format,
        "[{}] \"arms\": expected two or more, each once", where);
  return plan;
}

PairRating rating_of(const Json& line, std::string_view where) {
  PairRating rating;
  rating.plan = get<std::string>(line, "plan", where);
  rating.index = get<int>(line, "index", where);
  rating.repeat = get<bool>(line, "repeat", where);
  rating.prompt = get<std::string>(line, "prompt", where);
  rating.seed = get<uint64_t>(line, "seed", where);
  rating.left_arm = get<std::string>(line, "left_arm", where);
  rating.right_arm = get<std::string>(line, "right_arm", where);
  rating.left_picture = picture_of(line, "left_picture", where);
  rating.right_picture = picture_of(line, "right_picture", where);
  rating.answer = answer_of(get<std::string>(line, "answer", where), where);
  rating.shown_unix_ms = get<int64_t>(line, "shown_unix_ms", where);
  rating.taken_ms = get<int64_t>(line, "taken_ms", where);
  check(rating.taken_ms >= 0, ErrorKind::file_format, "[{}] \"taken_ms\": got {}, expected 0 or more", where, rating.taken_ms);
  return rating;
}

// The lines of a file, one after another, to what they say.
class PairRatingsReader {
 public:
  explicit PairRatingsReader(const fs::path& file) : file_(file.string()) {}

  void take(std::string_view line, bool is_ended) {
    ++number_;
    if (line.empty()) return;
    try {
      take_line(parse_json(line, where()));
    } catch (const Error& error) {
      if (is_ended)
        leave_out(error.what());
      else
        leave_out(fmt::format("[{}] was cut off when the program or the machine stopped", where()));
    }
  }

  PairRatings result() {
    for (const auto& [number, rating] : answers_) found_.answers.push_back(rating);
    if (unsaid_ > 0) found_.notices.push_back(fmt::format("[{}] {} more lines are left out", file_, unsaid_));
    return std::move(found_);
  }

 private:
  using Place = std::pair<std::string, int>;  // of an answer: plan and index

  std::string where() const { return fmt::format("{}:{}", file_, number_); }

  void leave_out(const std::string& why) { say(why + "; the line is left out"); }
  void say(const std::string& line) {
    if (found_.notices.size() < most_notices)
      found_.notices.push_back(line);
    else
      ++unsaid_;
  }

  void take_line(const Json& line) {
    const std::string kind = get<std::string>(line, "kind", where());
    if (kind == "plan") return take_plan(plan_of(line, where()));
    if (kind == "answer") return take_answer(rating_of(line, where()));
    check(kind == "undo", ErrorKind::file_format, "[{}] \"kind\": got {}, expected plan, answer or undo", where(),
          json_excerpt(line["kind"]));
    take_undo({get<std::string>(line, "plan", where()), get<int>(line, "index", where())});
  }

  const RatingPlan* plan_named(const std::string& id) const {
    for (const auto& plan : found_.plans)
      if (plan.id == id) return &plan;
    return nullptr;
  }

  void take_plan(RatingPlan plan) {
    check(!plan_named(plan.id), ErrorKind::file_format, "[{}] is the second plan {}", where(), json_excerpt(plan.id));
    found_.plans.push_back(std::move(plan));
  }

  void take_answer(PairRating rating) {
    const RatingPlan* plan = plan_named(rating.plan);
    check(plan, ErrorKind::file_format, "[{}] is an answer to the plan {}, of which there is no line", where(),
          json_excerpt(rating.plan));
    const int shown = shown_of(*plan);
    check(rating.index >= 0 && rating.index < shown, ErrorKind::file_format, "[{}] \"index\": got {}, expected 0 to {}", where(),
          rating.index, shown - 1);
    for (const auto* arm : {&rating.left_arm, &rating.right_arm})
      check(std::find(plan->arms.begin(), plan->arms.end(), *arm) != plan->arms.end(), ErrorKind::file_format,
            "[{}] is of the arm {}, which its plan has not", where(), json_excerpt(*arm));
    check(rating.left_arm != rating.right_arm, ErrorKind::file_format, "[{}] has the arm {} on both sides", where(),
          json_excerpt(rating.left_arm));
    const Place place(rating.plan, rating.index);
    check(!numbers_.contains(place), ErrorKind::file_format,
          "[{}] is a second answer to pair {} of one plan, as two programs write at once", where(), rating.index);
    watch_clock(rating);
    numbers_[place] = number_;
    answers_.emplace(number_, std::move(rating));
  }

  void take_undo(const Place& place) {
    const auto found = numbers_.find(place);
    check(found != numbers_.end(), ErrorKind::file_format, "[{}] takes back an answer that is not there", where());
    answers_.erase(found->second);
    numbers_.erase(found);
  }

  void watch_clock(const PairRating& rating) {
    const auto [last, is_first] = last_shown_.try_emplace(rating.plan, rating.shown_unix_ms);
    if (!is_first && rating.shown_unix_ms < last->second)
      say(fmt::format("[{}] was shown before the answer above it: the clock went back; it counts all the same", where()));
    last->second = rating.shown_unix_ms;
  }

  const std::string file_;
  size_t number_ = 0, unsaid_ = 0;
  PairRatings found_;
  std::map<size_t, PairRating> answers_;  // by line
  std::map<Place, size_t> numbers_;       // lines of what is in answers_
  std::map<std::string, int64_t> last_shown_;
};

class AppendedFile {
 public:
  explicit AppendedFile(const fs::path& path)
      : path_(path), fd_(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    check(fd_ >= 0, ErrorKind::machine, "[{}] cannot be written: {}", path_.string(), std::strerror(errno));
  }
  ~AppendedFile() { ::close(fd_); }
  AppendedFile(const AppendedFile&) = delete;

  void append(std::string line) {
    const off_t before = ::lseek(fd_, 0, SEEK_END);
    char last = '\n';
    if (before > 0 && ::pread(fd_, &last, 1, before - 1) == 1 && last != '\n') line.insert(0, "\n");
    try {
      write_all(fd_, line, path_.string());
      check(::fsync(fd_) == 0, ErrorKind::machine, "[{}] cannot be written: {}", path_.string(), std::strerror(errno));
    } catch (...) {
      if (before < 0 || ::ftruncate(fd_, before) != 0) {  // half a line: the next one is begun anew, readers leave it out
      }
      throw;
    }
    if (before == 0) sync_folder(path_.parent_path());
  }

 private:
  const fs::path path_;
  const int fd_;
};

void append_line(const fs::path& file, const Json& line) { AppendedFile(file).append(canonical_json(line) + "\n"); }

}  // namespace

std::optional<PairAnswer> pair_answer_from(std::string_view word) {
  for (const auto& [answer, known] : answer_words)
    if (word == known) return answer;
  return {};
}

int repeats_of(int pairs) { return pairs / 10 + (pairs % 10 >= 5 ? 1 : 0); }

PairRatings read_pair_ratings(const fs::path& file) {
  std::error_code error;
  const auto status = fs::status(file, error);
  if (status.type() == fs::file_type::not_found) return {};
  check(!fs::exists(status) || fs::is_regular_file(status), ErrorKind::input, "[{}] is not a file, expected one of ratings",
        file.string());
  const std::string text = read_file(file);
  PairRatingsReader reader(file);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    const bool is_ended = end != std::string::npos;
    reader.take(std::string_view(text).substr(begin, is_ended ? end - begin : end), is_ended);
    begin = is_ended ? end + 1 : text.size();
  }
  return reader.result();
}

int shown_of(const RatingPlan& plan) { return plan.pairs + repeats_of(plan.pairs); }

bool is_finished(const PairRatings& ratings, const RatingPlan& plan) {
  const auto answered = std::count_if(ratings.answers.begin(), ratings.answers.end(),
                                      [&](const PairRating& answer) { return answer.plan == plan.id; });
  return answered >= shown_of(plan);
}

std::vector<PairRating> counted_answers(const PairRatings& ratings) {
  std::set<std::string> finished;
  for (const auto& plan : ratings.plans)
    if (is_finished(ratings, plan)) finished.insert(plan.id);
  std::vector<PairRating> counted;
  for (const auto& answer : ratings.answers)
    if (!answer.repeat && finished.contains(answer.plan)) counted.push_back(answer);
  return counted;
}

void append_plan(const fs::path& file, const RatingPlan& plan) {
  append_line(file, {{"kind", "plan"},
                     {"id", plan.id},
                     {"rater", plan.rater},
                     {"arms", plan.arms},
                     {"pairs", plan.pairs},
                     {"seed", plan.seed}});
}

void append_answer(const fs::path& file, const PairRating& answer) {
  append_line(file, {{"kind", "answer"},
                     {"plan", answer.plan},
                     {"index", answer.index},
                     {"repeat", answer.repeat},
                     {"prompt", answer.prompt},
                     {"seed", answer.seed},
                     {"left_arm", answer.left_arm},
                     {"right_arm", answer.right_arm},
                     {"left_picture", answer.left_picture},
                     {"right_picture", answer.right_picture},
                     {"answer", word_of(answer.answer)},
                     {"shown_unix_ms", answer.shown_unix_ms},
                     {"taken_ms", answer.taken_ms}});
}

void append_undo(const fs::path& file, const std::string& plan, int index) {
  append_line(file, {{"kind", "undo"}, {"plan", plan}, {"index", index}});
}

}  // namespace negativa
