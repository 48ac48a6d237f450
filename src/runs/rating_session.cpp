#include "runs/rating_session.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/derived_seed.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/split_mix.h"
#include "base/text.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr size_t longest_rater_bytes = 100;

// Of one prompt and seed: an arm's pictures, of several trainings where it has them.
using PicturesOfArms = std::map<size_t, std::vector<const RatablePicture*>>;
// By prompt and seed.
using Groups = std::map<std::string, std::map<uint64_t, PicturesOfArms>>;

Groups groups_of(const RatableSet& set) {
  Groups groups;
  for (const auto& picture : set.pictures) groups[picture.prompt][picture.seed][picture.arm].push_back(&picture);
  return groups;
}

struct Two {
  const RatablePicture *first, *second;
};

// Which pictures of the two arms can stand side by side: not those of one file, as of arms that share a training.
std::vector<Two> choices(const PicturesOfArms& pictures, size_t first, size_t second) {
  std::vector<Two> found;
  const auto a = pictures.find(first), b = pictures.find(second);
  if (a == pictures.end() || b == pictures.end()) return found;
  for (const auto* one : a->second)
    for (const auto* other : b->second)
      if (one->file != other->file) found.push_back({one, other});
  return found;
}

// The first of each list, then the second of each …, at most so many.
std::vector<Two> in_turns(const std::vector<std::vector<Two>>& lists, size_t most) {
  std::vector<Two> taken;
  for (size_t turn = 0, before = SIZE_MAX; before != taken.size() && taken.size() < most; ++turn) {
    before = taken.size();
    for (const auto& list : lists)
      if (turn < list.size() && taken.size() < most) taken.push_back(list[turn]);
  }
  return taken;
}

// All pairs of two arms: a pair of each prompt, then a second one of each …
std::vector<Two> pairs_in_turns(const Groups& groups, size_t first, size_t second, SplitMix random) {
  std::vector<std::vector<Two>> of_prompts;
  for (const auto& [prompt, seeds] : groups) {
    std::vector<Two> pairs;
    for (const auto& [seed, pictures] : seeds)
      if (const auto found = choices(pictures, first, second); !found.empty()) pairs.push_back(found[random.below(found.size())]);
    shuffle(pairs, random);
    if (!pairs.empty()) of_prompts.push_back(std::move(pairs));
  }
  shuffle(of_prompts, random);
  return in_turns(of_prompts, SIZE_MAX);
}

std::vector<std::pair<size_t, size_t>> pairs_of_arms(size_t arms) {
  std::vector<std::pair<size_t, size_t>> pairs;
  for (size_t a = 0; a < arms; ++a)
    for (size_t b = a + 1; b < arms; ++b) pairs.emplace_back(a, b);
  return pairs;
}

// `count` pairs of any two arms, each two in turn.
std::vector<Two> chosen(const RatableSet& set, uint64_t seed, size_t count) {
  const Groups groups = groups_of(set);
  std::vector<std::vector<Two>> turns;
  for (const auto& [a, b] : pairs_of_arms(set.arms.size()))
    turns.push_back(pairs_in_turns(groups, a, b, SplitMix(derived_seed(seed, "pairs", turns.size()))));
  SplitMix order(derived_seed(seed, "arms", 0));
  shuffle(turns, order);
  auto pairs = in_turns(turns, count);
  check(pairs.size() >= count, ErrorKind::input, "[--pairs] got {}, but there are {} pairs of these arms", count, pairs.size());
  return pairs;
}

PairToRate with_sides(const RatableSet& set, const Two& two, bool swapped) {
  const RatablePicture &left = swapped ? *two.second : *two.first, &right = swapped ? *two.first : *two.second;
  return {left.prompt, left.seed, set.arms[left.arm], set.arms[right.arm], left.file, right.file, false};
}

PairToRate repeated(const PairToRate& pair) {
  return {pair.prompt, pair.seed, pair.right_arm, pair.left_arm, pair.right_picture, pair.left_picture, true};
}

// Puts `count` of the pairs in once more. Whatever is put in later only drives a pair and its repeat further apart.
void add_repeats(std::vector<PairToRate>& pairs, size_t count, SplitMix random) {
  std::vector<PairToRate> firsts(pairs.begin(), pairs.end() - (pairs.empty() ? 0 : 1));  // the last has no place behind it
  shuffle(firsts, random);
  for (size_t i = 0; i < count; ++i) {
    const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const PairToRate& pair) {
      return !pair.repeat && pair.left_picture == firsts[i].left_picture && pair.right_picture == firsts[i].right_picture;
    });
    const size_t nearest = static_cast<size_t>(found - pairs.begin()) + 2;
    const size_t place = nearest + random.below(pairs.size() - nearest + 1);
    pairs.insert(pairs.begin() + static_cast<std::ptrdiff_t>(place), repeated(firsts[i]));
  }
}

std::string checked_rater(const std::string& given) {
  check(valid_utf8(given) == given, ErrorKind::input, "[--rater] is not UTF-8");
  const std::u32string letters = code_points(given);
  const auto is_control = [](char32_t c) {  // with those that turn the direction of a line
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069);
  };
  check(std::none_of(letters.begin(), letters.end(), is_control), ErrorKind::input,
        "[--rater] has control characters, expected a name");
  check(given.empty() || given.find_first_not_of(' ') != std::string::npos, ErrorKind::input,
        "[--rater] is nothing but spaces, expected a name");
  check(given.size() <= longest_rater_bytes, ErrorKind::input, "[--rater] has {} bytes, expected at most {}", given.size(),
        longest_rater_bytes);
  return nfc(given);
}

// The same with its arms in that order, from which the pairs follow.
RatableSet in_order(RatableSet set, const std::vector<std::string>& arms) {
  for (auto& picture : set.pictures)
    picture.arm = static_cast<size_t>(std::find(arms.begin(), arms.end(), set.arms[picture.arm]) - arms.begin());
  set.arms = arms;
  return set;
}

uint64_t random_number() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

std::string of_rater(const std::string& rater) { return rater.empty() ? "this rater" : rater; }

// A studio that looks whether the file is locked holds it for a moment itself.
FileLock lock_on(const fs::path& file) {
  const std::string held = fmt::format("[{}] another rating is open on it; end that one first", file.string());
  for (int tries = 1;; ++tries) {
    try {
      return FileLock(file, held);
    } catch (const Error& error) {
      if (tries == 5 || error.what() != held) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

// A file whose first line is whole and says no kind is not ours to add to, as a studio's own ratings in its library.
void check_is_of_pairs(const fs::path& file) {
  const std::string text = read_file(file);
  const auto end = text.find('\n');
  if (end == std::string::npos) return;
  bool has_kind = false;
  try {
    const Json first = parse_json(std::string_view(text).substr(0, end), "ratings");
    has_kind = first.is_object() && first.contains("kind");
  } catch (const Error&) {
  }
  check(has_kind, ErrorKind::input, "[{}] is no file of rated pairs, expected one that negativa rate wrote; move it away",
        file.string());
}

}  // namespace

size_t count_pairs(const RatableSet& set) {
  const Groups groups = groups_of(set);
  size_t count = 0;
  for (const auto& [a, b] : pairs_of_arms(set.arms.size()))
    for (const auto& [prompt, seeds] : groups)
      for (const auto& [seed, pictures] : seeds) count += choices(pictures, a, b).empty() ? 0 : 1;
  return count;
}

std::vector<PairToRate> pairs_to_show(const RatableSet& set, const RatingPlan& plan) {
  auto twos = chosen(set, plan.seed, static_cast<size_t>(plan.pairs));
  SplitMix order(derived_seed(plan.seed, "order", 0)), coin(derived_seed(plan.seed, "sides", 0));
  shuffle(twos, order);
  std::vector<PairToRate> pairs;
  for (const auto& two : twos) pairs.push_back(with_sides(set, two, coin.below(2) == 1));
  add_repeats(pairs, static_cast<size_t>(repeats_of(plan.pairs)), SplitMix(derived_seed(plan.seed, "repeats", 0)));
  return pairs;
}

RatingSession::RatingSession(RatableSet set, const RatingRequest& request, const Notice& notice) : set_(std::move(set)) {
  const size_t most = count_pairs(set_);
  check(most > 0, ErrorKind::input, "[{}] {} have no two pictures of one prompt and seed, expected some to compare",
        set_.folder.string(), joined(set_.arms, " and "));
  check(!request.pairs || *request.pairs >= 1, ErrorKind::input, "[--pairs] got {}, expected 1 or more",
        request.pairs.value_or(0));
  check(!request.pairs || static_cast<size_t>(*request.pairs) <= most, ErrorKind::input,
        "[--pairs] got {}, expected at most {}: so many pairs of these arms there are", request.pairs.value_or(0), most);
  RatingRequest checked = request;
  checked.rater = checked_rater(request.rater);
  lock_ = lock_on(set_.folder / pair_ratings_file);
  if (!lock_.why_not().empty()) notice("ratings cannot be locked here (" + lock_.why_not() + "): rate in one place at a time");
  begin_or_go_on(checked, notice);
  find_next();
}

void RatingSession::begin_or_go_on(const RatingRequest& request, const Notice& notice) {
  const fs::path file = set_.folder / pair_ratings_file;
  const PairRatings known = read_pair_ratings(file);
  if (known.plans.empty()) check_is_of_pairs(file);
  for (const auto& line : known.notices) notice(line);
  const std::set<std::string> arms(set_.arms.begin(), set_.arms.end());
  for (const auto& plan : known.plans)
    if (plan.rater == request.rater && std::set<std::string>(plan.arms.begin(), plan.arms.end()) == arms) plan_ = plan;
  const bool is_begun = !plan_.id.empty();
  if (!is_begun) {
    const size_t most = count_pairs(set_);
    plan_ = {fmt::format("{:016x}", random_number()), request.rater, set_.arms,
             request.pairs.value_or(static_cast<int>(std::min<size_t>(usual_pairs, most))), random_number()};
  }
  check(!request.pairs || *request.pairs == plan_.pairs, ErrorKind::input,
        "[--pairs] got {}, but {} has begun {} of these arms; leave it out, or name another --rater", request.pairs.value_or(0),
        of_rater(plan_.rater), plan_.pairs);
  set_ = in_order(std::move(set_), plan_.arms);
  pairs_ = pairs_to_show(set_, plan_);
  has_answer_.assign(pairs_.size(), false);
  if (is_begun)
    take_answers(known.answers);
  else
    append_plan(file, plan_);
}

void RatingSession::take_answers(const std::vector<PairRating>& answers) {
  for (const auto& answer : answers) {
    if (answer.plan != plan_.id) continue;
    const auto index = static_cast<size_t>(answer.index);
    const PairToRate& pair = pairs_.at(index);
    check(answer.left_picture == pair.left_picture && answer.right_picture == pair.right_picture && answer.repeat == pair.repeat,
          ErrorKind::input,
          "[{}] {} has rated other pictures than are there now, as of a run that was changed; name another --rater",
          (set_.folder / pair_ratings_file).string(), of_rater(plan_.rater));
    has_answer_[index] = true;
    ++answered_;
    last_ = index;
  }
}

void RatingSession::find_next() {
  current_ = static_cast<size_t>(std::find(has_answer_.begin(), has_answer_.end(), false) - has_answer_.begin());
}

std::optional<size_t> RatingSession::following() const {
  for (size_t index = current_ + 1; index < pairs_.size(); ++index)
    if (!has_answer_[index]) return index;
  return {};
}

void RatingSession::answer(PairAnswer answer, int64_t shown_unix_ms, int64_t taken_ms) {
  const PairToRate& shown = pair();
  PairRating rating;
  rating.plan = plan_.id;
  rating.index = static_cast<int>(current_);
  rating.repeat = shown.repeat;
  rating.prompt = shown.prompt;
  rating.seed = shown.seed;
  rating.left_arm = shown.left_arm;
  rating.right_arm = shown.right_arm;
  rating.left_picture = shown.left_picture;
  rating.right_picture = shown.right_picture;
  rating.answer = answer;
  rating.shown_unix_ms = shown_unix_ms;
  rating.taken_ms = taken_ms;
  append_answer(set_.folder / pair_ratings_file, rating);
  has_answer_[current_] = true;
  ++answered_;
  last_ = current_;
  find_next();
}

void RatingSession::undo() {
  check(last_.has_value(), ErrorKind::input, "[undo] there is no answer to take back, expected one given last");
  append_undo(set_.folder / pair_ratings_file, plan_.id, static_cast<int>(*last_));
  has_answer_[*last_] = false;
  --answered_;
  last_.reset();
  find_next();
}

bool rating_is_open(const fs::path& folder) {
  const int fd = ::open((folder / pair_ratings_file).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return false;
  const bool is_held = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return is_held;
}

}  // namespace negativa
