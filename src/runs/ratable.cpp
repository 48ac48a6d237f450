#include "runs/ratable.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"
#include "runs/comparison.h"
#include "runs/run_store.h"

namespace negativa {

namespace {

std::vector<std::string> arm_names(const RunPlan& plan) {
  std::vector<std::string> names;
  for (const auto& arm : plan.arms) names.push_back(arm.name);
  return names;
}

// The two of "article - nothing"; none where the plan says nothing, and its only two where it has no more.
std::vector<std::string> usual_arms(const RunPlan& plan) {
  const auto names = arm_names(plan);
  if (const auto planned = arms_of_comparison(plan, plan.analysis.primary))
    return {names[static_cast<size_t>(planned->first)], names[static_cast<size_t>(planned->second)]};
  return names.size() == 2 ? names : std::vector<std::string>{};
}

std::vector<std::string> arms_to_rate(const RunPlan& plan, const std::vector<std::string>& asked) {
  const auto known = arm_names(plan);
  const auto arms = asked.empty() ? usual_arms(plan) : asked;
  check(!arms.empty(), ErrorKind::input, "[--arms] are needed, as the run plans no comparison; two or more of {}",
        joined(known, ", "));
  for (const auto& arm : arms)
    check(std::find(known.begin(), known.end(), arm) != known.end(), ErrorKind::input,
          "[--arms] the run has no arm {}{}; it has {}", json_excerpt(Json(arm)), did_you_mean(arm, known), joined(known, ", "));
  const std::set<std::string> different(arms.begin(), arms.end());
  check(different.size() == arms.size(), ErrorKind::input, "[--arms] names an arm twice, expected different ones");
  check(arms.size() >= 2, ErrorKind::input, "[--arms] got {} alone, expected two arms or more", arms.front());
  return arms;
}

// All that a plan has of these arms' pictures, as it says; `missing` of each arm are counted.
class RunPictures {
 public:
  RunPictures(const RunStore& store, RatableSet& set)
      : store_(store), set_(set), missing_(set.arms.size()), all_(set.arms.size()) {}

  void take(const PlannedCell& cell) {
    const RunPlan& plan = *store_.frozen();
    const auto place = std::find(set_.arms.begin(), set_.arms.end(), plan.arms[static_cast<size_t>(cell.arm)].name);
    if (place == set_.arms.end()) return;
    const auto arm = static_cast<size_t>(place - set_.arms.begin());
    const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(cell.prompt)];
    ++all_[arm];
    std::string why;
    const CellState state = store_.state(cell, &why);
    check(state != CellState::damaged, ErrorKind::input, "{}; negativa experiment run makes it again", why);
    missing_[arm] += state == CellState::missing;
    set_.pictures.push_back({arm, prompt.text, prompt.noise_seeds[static_cast<size_t>(cell.replicate)], cell.file});
  }

  void check_whole() const {
    for (size_t arm = 0; arm < set_.arms.size(); ++arm)
      check(missing_[arm] == 0, ErrorKind::input,
            "[{}] {} of {} pictures of the arm {} are not drawn, expected all; finish it with negativa experiment run first",
            store_.folder().string(), missing_[arm], all_[arm], set_.arms[arm]);
  }

 private:
  const RunStore& store_;
  RatableSet& set_;
  std::vector<size_t> missing_, all_;
};

// A folder's pictures by prompt and seed.
void add_folder(RatableSet& set, const fs::path& folder) {
  const size_t arm = set.arms.size();
  const fs::path list = folder / names::metadata_jsonl;
  check(fs::is_regular_file(list), ErrorKind::input,
        "[{}] has no {}, expected a folder of pictures as negativa generate --prompts makes them, or a run's alone",
        folder.string(), names::metadata_jsonl);
  set.arms.push_back(folder.lexically_relative(set.folder).generic_string());
  check(valid_utf8(set.arms.back()) == set.arms.back(), ErrorKind::input, "[{}] is not UTF-8; give the folder another name",
        valid_utf8(folder.string()));
  std::set<std::pair<std::string, uint64_t>> seen;
  size_t number = 0;
  for (const auto& line : split(read_file(list), '\n')) {
    const std::string where = fmt::format("{}:{}", list.string(), ++number);
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json json = parse_json(line, where);
    if (!json.is_object() || !json.contains("seed")) continue;  // a caption without a seed has no partner
    const RatablePicture picture{arm, get<std::string>(json, "text", where), get<uint64_t>(json, "seed", where),
                                 get<std::string>(json, "file_name", where)};
    const fs::path name = fs::path(picture.file).lexically_normal();
    check(name.is_relative() && !name.empty() && *name.begin() != "..", ErrorKind::input,
          "[{}] \"file_name\": got {}, expected a file below the folder", where, json_excerpt(Json(picture.file)));
    check(fs::is_regular_file(folder / name), ErrorKind::input, "[{}] there is no {}", where, name.string());
    check(seen.emplace(picture.prompt, picture.seed).second, ErrorKind::input,
          "[{}] is a second picture of {} with seed {}, expected one of each", where, json_excerpt(Json(picture.prompt)),
          picture.seed);
    set.pictures.push_back({arm, picture.prompt, picture.seed, set.arms.back() + "/" + name.generic_string()});
  }
}

}  // namespace

RatableSet ratable_run(const fs::path& run, const std::vector<std::string>& arms, EventSink& events) {
  const RunStore store = RunStore::open(run, events);
  RatableSet set{store.folder(), arms_to_rate(*store.frozen(), arms), {}, "negativa experiment report " + run.string()};
  RunPictures pictures(store, set);
  for (const auto& cell : store.frozen()->cells)
    if (cell.stage == CellStage::picture) pictures.take(cell);
  pictures.check_whole();
  return set;
}

RatableSet ratable_folders(const fs::path& first, const fs::path& second) {
  const auto canonical = [](const fs::path& folder) {
    std::error_code error;
    const fs::path found = fs::canonical(folder, error);
    check(!error && fs::is_directory(found), ErrorKind::input, "[{}] is no folder, expected one of pictures", folder.string());
    return found;
  };
  const fs::path a = canonical(first), b = canonical(second);
  check(a != b, ErrorKind::input, "[{}] is named twice, expected two folders", first.string());
  const auto [apart, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  check(apart != a.end() && other != b.end(), ErrorKind::input, "[{}] and {}: one lies within the other, expected two apart",
        first.string(), second.string());
  RatableSet set;
  for (auto part = a.begin(); part != apart; ++part) set.folder /= *part;
  add_folder(set, a);
  add_folder(set, b);
  return set;
}

}  // namespace negativa
