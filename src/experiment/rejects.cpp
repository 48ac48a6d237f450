#include "experiment/rejects.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/sha256.h"
#include "base/split_mix.h"
#include "experiment/judging.h"
#include "experiment/plan_judge.h"
#include "image/image.h"
#include "runs/address.h"
#include "text/prompt.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

// The words that a picture of this arm shows, as its metrics' captions are.
std::string caption_of(const RunPlan& plan, const std::string& prompt) {
  const Json settings = parse_json(plan.arms.front().settings_json, names::plan_file);
  const bool is_plain = get_or<std::string>(settings, "weighting", "compel", names::plan_file) != "compel";
  return is_plain ? prompt : clean_text(parse_prompt(prompt));
}

std::string metadata_of(const std::vector<RejectedPicture>& pictures, const std::string& caption) {
  std::string lines;
  for (const auto& picture : pictures) {
    Json line = {{"file_name", picture.file.filename().string()}, {"text", caption}};
    if (!picture.prompt.empty()) line["prompt"] = picture.prompt;
    if (picture.seed) line["seed"] = *picture.seed;
    if (picture.damage) line["damage"] = *picture.damage;
    lines += line.dump() + "\n";
  }
  return lines;
}

}  // namespace

std::vector<RejectedPicture> pictures_of_arm(const RunStore& store, const std::string& arm, OfTrainings which) {
  const RunPlan& plan = *store.frozen();
  std::vector<RejectedPicture> pictures;
  std::set<std::string> seen;
  for (const auto& cell : plan.cells) {
    if (cell.stage != CellStage::picture || plan.arms[static_cast<size_t>(cell.arm)].name != arm) continue;
    if ((which == OfTrainings::first && cell.training > 0) || !seen.insert(cell.file).second) continue;
    const PlannedPrompt& prompt = plan.prompts[static_cast<size_t>(cell.prompt)];
    pictures.push_back({store.path(cell), prompt.text, prompt.noise_seeds[static_cast<size_t>(cell.replicate)], {}});
  }
  return pictures;
}

size_t count_of_share(double share, size_t pictures) {
  return std::max<size_t>(1, static_cast<size_t>(std::lround(share * static_cast<double>(pictures))));
}

RejectingJudge::RejectingJudge(Engine& engine, const ExperimentFile& file, const fs::path& folder, const Caller& caller)
    : engine_(engine), caller_(caller) {
  ExperimentFile choosing = file;
  choosing.options.judge = folder;
  choosing.options.calibrate = false;
  choosing.bundled_judge = names::judge_select_folder;
  choosing.analysis.primary.clear();
  const PlannedJudge chooses = plan_judge(engine, choosing, {}, caller);
  const PlannedJudge judges = plan_judge(engine, file, {}, caller);
  check(chooses.input.sha256 != judges.input.sha256, ErrorKind::input,
        "[experiment next] the judge {} chooses and judges, and what chose cannot say whether it helped; give another judge or "
        "judge_select",
        chooses.folder.string());
  check(!chooses.basis.damages.empty(), ErrorKind::input,
        "[experiment next] the judge {} has no {} and measures no damage to choose by; try --reject people",
        chooses.folder.string(), names::judge_world);
  folder_ = chooses.folder;
  damages_ = chooses.basis.damages;
}

std::vector<RejectedPicture> RejectingJudge::worst(std::vector<RejectedPicture> pictures, size_t count,
                                                   const RunPlan& plan) const {
  Judging judging(folder_, &caller_.cancel);
  judging.set_basis({damages_, {}, {}});
  const auto metrics = judging.metrics({"damage"}, "experiment next");
  Stage progress(caller_.events, "chosen among", static_cast<int64_t>(pictures.size()));
  engine_.workers().run({pictures.size(), hardware_threads(), 1}, caller_.cancel, [&](size_t i) {
    const Image8 image = read_image(pictures[i].file);
    pictures[i].damage = judging.measure({image, caption_of(plan, pictures[i].prompt), nullptr, nullptr}, metrics).front();
    progress.tick();
  });
  std::stable_sort(pictures.begin(), pictures.end(),
                   [](const auto& one, const auto& other) { return one.damage.value_or(0) > other.damage.value_or(0); });
  pictures.resize(std::min(count, pictures.size()));
  return pictures;
}

std::vector<RejectedPicture> at_random(std::vector<RejectedPicture> pictures, size_t count, uint64_t seed) {
  std::vector<size_t> order(pictures.size());
  std::iota(order.begin(), order.end(), size_t{0});
  SplitMix random(seed);
  shuffle(order, random);
  order.resize(std::min(count, order.size()));
  std::sort(order.begin(), order.end());
  std::vector<RejectedPicture> chosen;
  for (const size_t i : order) chosen.push_back(std::move(pictures[i]));
  return chosen;
}

std::vector<RejectedPicture> rejected_by_people(const RunStore& store, const PairRatings& ratings, const std::string& arm) {
  std::map<fs::path, int> balance;  // answers that reject a picture, less those that do not
  for (const auto& answer : counted_answers(ratings)) {
    const auto count = [&](const std::string& picture, PairAnswer lost) {
      balance[store.folder() / picture] += answer.answer == lost || answer.answer == PairAnswer::both_bad ? 1 : -1;
    };
    count(answer.left_picture, PairAnswer::right);
    count(answer.right_picture, PairAnswer::left);
  }
  std::vector<RejectedPicture> pictures = pictures_of_arm(store, arm, OfTrainings::all);
  std::erase_if(pictures, [&](const RejectedPicture& picture) { return balance[picture.file] <= 0; });
  return pictures;
}

std::vector<RejectedPicture> pictures_in(const fs::path& folder) {
  std::error_code error;
  check(fs::is_directory(folder, error), ErrorKind::input,
        "[--reject] got {}, expected people, judge_select, random or a folder of pictures", json_excerpt(Json(folder.string())));
  std::vector<RejectedPicture> pictures;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && has_picture_name(entry.path()) && !entry.path().filename().string().starts_with("."))
      pictures.push_back({entry.path(), "", {}, {}});
  check(!pictures.empty(), ErrorKind::input, "[--reject] {} has no pictures, expected PNG, JPEG or WebP files", folder.string());
  std::sort(pictures.begin(), pictures.end(), [](const auto& one, const auto& other) { return one.file < other.file; });
  for (const auto& picture : pictures) read_image(picture.file);  // a broken one is said now, not when training begins
  return pictures;
}

std::string content_hash(const std::vector<RejectedPicture>& pictures) {
  Sha256 hash;
  for (const auto& picture : pictures) hash.update(picture.file.filename().string() + " " + sha256_file(picture.file) + "\n");
  return hash.hex().substr(0, short_address);
}

void keep_rejects(const fs::path& folder, const std::string& caption, const std::vector<RejectedPicture>& pictures) {
  std::error_code ignored;
  if (fs::exists(folder, ignored)) return;
  make_folder(folder.parent_path());
  write_folder_atomically(folder, [&](const fs::path& to) {
    for (const auto& picture : pictures) write_atomically(to / picture.file.filename(), read_file(picture.file));
    write_atomically(to / names::metadata_jsonl, metadata_of(pictures, caption));
  });
}

}  // namespace negativa
