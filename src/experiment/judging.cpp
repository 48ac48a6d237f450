#include "experiment/judging.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace negativa {

RecipeInput judge_input(const Judge& judge, const Hashing& hashing) {
  std::string listing;
  for (const auto& file : judge.files()) listing += file.filename().string() + " " + cached_sha256_file(file, hashing) + "\n";
  return {"judge", judge.name(), sha256_hex(listing)};
}

Judging::Judging(const std::filesystem::path& folder, const CancelToken* cancel)
    : judge_(Judge::load(folder, cancel)), world_(find_world(folder)), texts_(judge_) {
  room_.texts = &texts_;
  if (!world_) return;
  room_.world = &*world_;
  set_basis(damage_score_basis(world_->damages, {}));
}

void Judging::set_basis(DamageScoreBasis basis) {
  room_.score_damages = basis.damages;
  basis_ = std::move(basis);
}

std::string Judging::take_calibration(const std::vector<std::string>& model_sha256s, const Hashing& hashing) {
  if (!world_) return "";
  const std::string judge_sha256 = judge_input(judge_, hashing).sha256;
  std::optional<Calibration> calibration;
  std::string why;
  for (const auto& model_sha256 : model_sha256s) {
    calibration = find_calibration(judge_.folder(), model_sha256, judge_sha256, why);
    if (!calibration) break;
  }
  set_basis(damage_score_basis(world_->damages, calibration));
  return why;
}

std::vector<Metric> Judging::metrics(const std::vector<std::string>& names, std::string_view where) const {
  std::vector<Metric> known = all_metrics(world());
  std::vector<std::string> known_names;
  for (const auto& metric : known) known_names.push_back(metric.name);
  for (const auto& name : names)
    check(std::find(known_names.begin(), known_names.end(), name) != known_names.end(), ErrorKind::input,
          "[{}] got \"{}\", expected some of what the judge {} measures: {}{}", where, name, judge_.name(),
          joined(known_names, ", "), did_you_mean(name, known_names));
  std::erase_if(known, [&](const Metric& metric) { return std::find(names.begin(), names.end(), metric.name) == names.end(); });
  return known;
}

std::vector<std::optional<double>> Judging::measure(MeasuredPicture picture, std::span<const Metric> metrics) const {
  UnitVector seen;
  const bool needs_judge = std::any_of(metrics.begin(), metrics.end(), [](const Metric& metric) { return metric.needs.judge; });
  if (needs_judge && !picture.seen) {
    seen = judge_.see(picture.image);
    picture.seen = &seen;
  }
  std::vector<std::optional<double>> values;
  for (const Metric& metric : metrics) {
    const auto value = metric.value(picture, room_);
    values.push_back(value && std::isfinite(*value) ? value : std::nullopt);
  }
  return values;
}

}  // namespace negativa
