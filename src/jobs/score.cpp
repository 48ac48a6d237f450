#include "jobs/score.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "base/file_names.h"
#include "base/files.h"
#include "base/names.h"
#include "base/text.h"
#include "core/isa.h"
#include "experiment/calibrate.h"
#include "experiment/cmmd.h"
#include "io/models_folder.h"
#include "jobs/job.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr const char* cmmd_name = "cmmd";
constexpr const char* cmmd_biased_name = "cmmd_biased";
constexpr size_t most_cmmd_pictures = 4000;  // of a set that still gets an interval

struct Run {
  Engine& engine;
  const ScoreOptions& options;
  const Caller& caller;
  int workers;
  std::vector<ScoreSet> sets;
  std::optional<Judging> judging;
  bool wants_cmmd = false;
  std::vector<std::vector<UnitVector>> seen;                 // of each set's pictures
  std::vector<std::vector<std::optional<size_t>>> partners;  // of each further set's pictures in the first
};

// Whether these may be pictures of the bundled model: their recipes say so, or they have none and are of its size.
std::string foreign_picture(const std::vector<ScoreSet>& sets, const Places& places) {
  const std::string bundled = last_name(default_model(places));
  for (const auto& set : sets)
    for (const auto& file : set.files)
      if (!file.model.empty() && file.model != bundled) return fmt::format("{} was drawn by {}", file.path.string(), file.model);
  for (const auto& set : sets) {
    const ScoredFile& first = set.files.front();
    if (!first.model.empty()) continue;
    const Image8 image = read_image(first.path);
    if (std::min(image.width, image.height) > 128)
      return fmt::format("{} has {}x{} pixels", first.path.string(), image.width, image.height);
  }
  return "";
}

fs::path judge_folder(const Run& run) {
  if (!run.options.judge.empty()) return run.options.judge;
  const std::string foreign = foreign_picture(run.sets, run.engine.places());
  check(foreign.empty(), ErrorKind::input,
        "[--judge] {}, but the bundled judge knows the bundled model's world alone; give --judge FOLDER, a CLIP model's folder",
        foreign);
  return default_model(run.engine.places()) / names::judge_folder;
}

bool is_bundled_judge(const fs::path& folder, const Places& places) {
  std::error_code ignored;
  return fs::equivalent(folder, default_model(places) / names::judge_folder, ignored) ||
         fs::equivalent(folder, default_model(places) / names::judge_select_folder, ignored);
}

// The judge itself; with the default one its twin for choosing too, since the drawn pictures serve both.
std::vector<Calibration> calibrate_judges(const Run& run) {
  check(run.judging->world() != nullptr, ErrorKind::input,
        "[--calibrate] {} has no {}, which names the damages and captions to calibrate with; only general metrics are possible "
        "with it",
        run.judging->judge().folder().string(), names::judge_world);
  std::vector<const Judging*> judges{&*run.judging};
  std::optional<Judging> second;
  const fs::path select = default_model(run.engine.places()) / names::judge_select_folder;
  if (run.options.judge.empty() && fs::exists(select)) judges.push_back(&second.emplace(select, &run.caller.cancel));
  for (const Judging* one : judges) check_can_write(one->judge().folder() / names::judge_calibration);
  auto calibrations = calibrate(run.engine, judges, run.options.threads, run.caller);
  for (size_t i = 0; i < judges.size(); ++i)
    write_atomically(judges[i]->judge().folder() / names::judge_calibration, calibrations[i].to_text());
  return calibrations;
}

void open_judge(Run& run, ScoreReport& report) {
  const fs::path folder = judge_folder(run);
  Judging& judging = run.judging.emplace(folder, &run.caller.cancel);
  report.judge = judging.judge().name();
  if (run.options.calibrate) report.calibrations = calibrate_judges(run);
  if (!judging.world()) {
    report.notes.push_back(
        fmt::format("{} has no {}: right object, damage, background and object count are left out, and there is no calibration",
                    folder.string(), names::judge_world));
    return;
  }
  std::string why;
  const Hashing hashing = run.engine.hashing(&run.caller.cancel);
  if (is_bundled_judge(folder, run.engine.places()) || run.options.calibrate)
    why = judging.take_calibration({bundled_model_input(run.engine.places(), hashing).sha256}, hashing);
  report.basis = judging.basis();
  if (!report.basis.uncalibrated.empty())
    report.notes.push_back(fmt::format("damage is uncalibrated, over all damages: {}{}; negativa score --calibrate makes one",
                                       report.basis.uncalibrated, why.empty() ? "" : " (" + why + ")"));
  else if (!report.basis.outside.empty())
    report.notes.push_back("damage leaves out what the judge does not tell: " + joined(report.basis.outside, ", "));
}

void choose_metrics(Run& run, ScoreReport& report) {
  auto known = all_metrics(run.judging->world());
  std::vector<std::string> names;
  for (const auto& metric : known) names.push_back(metric.name);
  names.insert(names.end(), {cmmd_name, cmmd_biased_name});
  const auto asked = run.options.metrics.empty() ? std::vector<std::string>{} : split(run.options.metrics, ',');
  for (const auto& name : asked) {
    const auto hint = did_you_mean(name, names);
    check(std::find(names.begin(), names.end(), name) != names.end(), ErrorKind::input,
          "[--metrics] got \"{}\", expected some of {}{}", name, joined(names, ","), hint);
  }
  const auto is_asked = [&](const std::string& name) {
    return asked.empty() || std::find(asked.begin(), asked.end(), name) != asked.end();
  };
  for (auto& metric : known)
    if (is_asked(metric.name) && (!metric.needs.baseline || run.sets.size() > 1)) report.metrics.push_back(std::move(metric));
  const bool names_cmmd = !asked.empty() && (is_asked(cmmd_name) || is_asked(cmmd_biased_name));
  check(!names_cmmd || !run.options.reference.empty(), ErrorKind::input,
        "[--metrics] cmmd measures the distance to a folder of pictures as they should be; give --reference FOLDER");
  run.wants_cmmd = !run.options.reference.empty() && (asked.empty() || names_cmmd);
  check(!report.metrics.empty() || run.wants_cmmd, ErrorKind::input,
        "[--metrics] {} compares with the first folder's pictures; give a second folder", run.options.metrics);
}

std::vector<ScoredPicture> as_scored(const ScoreSet& set) {
  std::vector<ScoredPicture> pictures;
  for (const auto& file : set.files) pictures.push_back({file.name, file.caption, file.seed, 0});
  return pictures;
}

void find_partners(Run& run) {
  run.partners.resize(run.sets.size());
  for (size_t s = 1; s < run.sets.size(); ++s) {
    run.partners[s].resize(run.sets[s].files.size());
    const auto pairing = pair_sets(as_scored(run.sets[0]), as_scored(run.sets[s]));
    if (!is_worth_pairing(pairing)) continue;
    for (const auto& prompt : pairing.prompts)
      for (const auto& pair : prompt.pairs) run.partners[s][pair.second] = pair.first;
  }
}

void measure_picture(Run& run, ScoreReport& report, size_t s, size_t i) {
  const ScoredFile& file = run.sets[s].files[i];
  PictureScores& scores = report.sets[s].pictures[i];
  scores.file = file;
  const Image8 image = picture_of(file.path, run.caller.events);
  scores.width = image.width, scores.height = image.height;
  const bool wants_judge = run.wants_cmmd || std::any_of(report.metrics.begin(), report.metrics.end(),
                                                         [](const Metric& metric) { return metric.needs.judge; });
  if (wants_judge) run.seen[s][i] = run.judging->judge().see(image);
  const bool wants_baseline =
      std::any_of(report.metrics.begin(), report.metrics.end(), [](const Metric& metric) { return metric.needs.baseline; });
  Image8 baseline;
  if (wants_baseline && s > 0 && run.partners[s][i]) {
    const auto& partner = run.sets[0].files[*run.partners[s][i]].path;
    baseline = picture_of(partner, run.caller.events);
  }
  const MeasuredPicture picture{image, file.caption, &run.seen[s][i], baseline.empty() ? nullptr : &baseline};
  scores.values = run.judging->measure(picture, report.metrics);
}

void measure(Run& run, ScoreReport& report) {
  std::vector<std::pair<size_t, size_t>> all;
  for (size_t s = 0; s < run.sets.size(); ++s) {
    report.sets.push_back({run.sets[s].name, std::vector<PictureScores>(run.sets[s].files.size())});
    run.seen.emplace_back(run.sets[s].files.size());
    for (size_t i = 0; i < run.sets[s].files.size(); ++i) all.emplace_back(s, i);
  }
  Stage progress(run.caller.events, "score", static_cast<int64_t>(all.size()));
  run.engine.workers().run({all.size(), run.workers, 1}, run.caller.cancel, [&](size_t k) {
    measure_picture(run, report, all[k].first, all[k].second);
    progress.tick();
  });
}

std::vector<ScoredPicture> values_of(const SetScores& set, size_t metric) {
  std::vector<ScoredPicture> pictures;
  for (const auto& picture : set.pictures)
    if (picture.values[metric])
      pictures.push_back({picture.file.name, picture.file.caption, picture.file.seed, *picture.values[metric]});
  return pictures;
}

void compare(ScoreReport& report) {
  for (size_t m = 0; m < report.metrics.size(); ++m) {
    MetricRow row;
    std::vector<std::vector<ScoredPicture>> values;
    for (const auto& set : report.sets) {
      values.push_back(values_of(set, m));
      row.pictures.push_back(values.back().size());
      row.means.push_back(values.back().empty() ? std::nullopt : std::optional(mean_of_set(values.back())));
      if (values.size() == 1) continue;
      const bool both = !values.front().empty() && !values.back().empty();
      row.differences.push_back(both ? std::optional(compare_sets(values.front(), values.back())) : std::nullopt);
    }
    report.rows.push_back(std::move(row));
  }
}

std::vector<UnitVector> reference_vectors(const Run& run) {
  const ScoreSet set = read_score_set(run.options.reference, false);
  std::vector<UnitVector> seen(set.files.size());
  Stage progress(run.caller.events, "reference", static_cast<int64_t>(seen.size()));
  run.engine.workers().run({seen.size(), run.workers, 1}, run.caller.cancel, [&](size_t i) {
    seen[i] = run.judging->judge().see(picture_of(set.files[i].path, run.caller.events));
    progress.tick();
  });
  return seen;
}

// Places of a set's pictures, prompt after prompt in the order of the prompts' text, each prompt's by seed and name: the same in
// sets of the same prompts and seeds.
struct ByPrompt {
  std::vector<size_t> places, pictures_of_prompt;
};

ByPrompt by_prompt(const ScoreSet& set) {
  ByPrompt result;
  for (size_t i = 0; i < set.files.size(); ++i) result.places.push_back(i);
  const auto key = [&](size_t i) { return std::tie(set.files[i].caption, set.files[i].seed, set.files[i].name); };
  std::sort(result.places.begin(), result.places.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  const std::string* last = nullptr;
  for (const size_t i : result.places) {
    if (!last || set.files[i].caption != *last) result.pictures_of_prompt.push_back(0);
    last = &set.files[i].caption;
    ++result.pictures_of_prompt.back();
  }
  return result;
}

void measure_cmmd(Run& run, ScoreReport& report) {
  if (!run.wants_cmmd) return;
  CmmdRow row;
  const auto reference = reference_vectors(run);
  std::vector<Cmmd> measures;
  std::vector<ByPrompt> orders;
  const auto places = [](const ByPrompt& order, std::span<const size_t> numbers) {
    std::vector<size_t> result;
    for (const size_t number : numbers) result.push_back(order.places[number]);
    return result;
  };
  for (size_t s = 0; s < run.sets.size(); ++s) {
    measures.emplace_back(run.seen[s], reference);
    orders.push_back(by_prompt(run.sets[s]));
    const Cmmd& own = measures.back();
    const ByPrompt& order = orders.back();
    row.unbiased.push_back(*own.unbiased(order.places));
    row.biased.push_back(own.biased(order.places));
    const bool small = order.places.size() <= most_cmmd_pictures;
    const BootstrapOptions options{.seed = 0, .resamples = 400};
    const auto interval = [&](const Statistic& statistic) {
      return small ? std::optional(bootstrap(order.pictures_of_prompt, statistic, options)) : std::nullopt;
    };
    row.intervals.push_back(interval([&](std::span<const size_t> numbers) {
      run.caller.cancel.throw_if_cancelled();
      return own.unbiased(places(order, numbers));
    }));
    if (s == 0) continue;
    const bool comparable = same_prompts_and_counts(as_scored(run.sets[0]), as_scored(run.sets[s]));
    if (!comparable)
      report.notes.push_back(
          fmt::format("cmmd of {} and {} is not compared: they have other prompts or other numbers of pictures", run.sets[0].name,
                      run.sets[s].name));
    row.differences.push_back(!comparable ? std::nullopt
                                          : interval([&](std::span<const size_t> numbers) -> std::optional<double> {
                                              run.caller.cancel.throw_if_cancelled();
                                              const auto second = measures[s].unbiased(places(orders[s], numbers)),
                                                         first = measures[0].unbiased(places(orders[0], numbers));
                                              return first && second ? std::optional(*second - *first) : std::nullopt;
                                            }));
  }
  report.cmmd = std::move(row);
}

// "PNG of 64x64" where all are alike.
std::string kinds_of(const SetScores& set) {
  std::set<std::string> formats, sizes;
  for (const auto& picture : set.pictures) {
    std::string extension = picture.file.path.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::toupper(c); });
    formats.insert(extension == ".JPEG" ? "JPG" : extension.substr(1));
    sizes.insert(fmt::format("{}x{}", picture.width, picture.height));
  }
  const std::vector<std::string> named(formats.begin(), formats.end());
  return joined(named, " and ") + " of " +
         (sizes.size() == 1 ? *sizes.begin() : fmt::format("{} sizes, {} to {}", sizes.size(), *sizes.begin(), *sizes.rbegin()));
}

void say_first(const Run& run, ScoreReport& report) {
  for (size_t s = 1; s < report.sets.size(); ++s) {
    const auto lines = pairing_lines(compare_sets(as_scored(run.sets[0]), as_scored(run.sets[s])));
    for (size_t i = 0; i < lines.size(); ++i) report.first_lines.push_back((i == 0 ? run.sets[s].name + ": " : "") + lines[i]);
    const std::string first = kinds_of(report.sets[0]), other = kinds_of(report.sets[s]);
    if (first != other)
      report.first_lines.front() += fmt::format("; {} has {}, {} has {}: part of any difference may be that", run.sets[0].name,
                                                first, run.sets[s].name, other);
  }
}

void note_cut_captions(Run& run, ScoreReport& report) {
  const bool wanted =
      std::any_of(report.metrics.begin(), report.metrics.end(), [](const Metric& metric) { return metric.name == "clip_score"; });
  if (!wanted) return;
  std::set<std::string> cut;
  for (const auto& set : run.sets)
    for (const auto& file : set.files)
      if (run.judging->room().texts->read(file.caption).cut > 0) cut.insert(file.caption);
  if (!cut.empty())
    report.notes.push_back(fmt::format(
        "{} captions are longer than the judge reads; what did not fit was left out, the end token kept", cut.size()));
}

ScoreReport score_now(Engine& engine, const ScoreOptions& options, const Caller& caller) {
  const auto begin = std::chrono::steady_clock::now();
  check(!options.folder.empty() || options.calibrate, ErrorKind::input,
        "[score] a folder of pictures is needed; try negativa score FOLDER");
  if (!options.out.empty()) check_can_write(options.out);
  if (!options.sheet.empty()) check_png_name(options.sheet), check_can_write(options.sheet);
  ScoreReport report;
  check_isa(options.isa);
  Run run{engine, options, caller, options.threads > 0 ? options.threads : hardware_threads(), {}, {}, false, {}, {}};
  for (const auto& folder : options.folder) run.sets.push_back(read_score_set(folder, true));
  open_judge(run, report);
  if (run.sets.empty()) return report;
  choose_metrics(run, report);
  find_partners(run);
  measure(run, report);
  say_first(run, report);
  compare(report);
  measure_cmmd(run, report);
  note_cut_captions(run, report);
  if (!options.out.empty()) write_atomically(options.out, score_csv(report));
  if (!options.sheet.empty()) write_atomically(options.sheet, encode_png(score_sheet(report, caller.events)));
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

}  // namespace

ScoreReport score(Engine& engine, const ScoreOptions& options, EventSink& sink, const CancelToken& cancel) {
  return as_job(sink, cancel, [&](const Caller& caller) { return score_now(engine, options, caller); });
}

ScoreForecast forecast_score(Engine&, const ScoreOptions& options, EventSink&, const CancelToken&) {
  ScoreForecast forecast;
  for (const auto& folder : options.folder) forecast.sets.push_back(read_score_set(folder, true));
  return forecast;
}

}  // namespace negativa
