#include "experiment/calibration.h"

#include <algorithm>

#include "base/config_reader.h"
#include "base/files.h"
#include "base/names.h"

namespace negativa {

std::string Calibration::to_text() const {
  Json list = Json::array();
  for (const auto& damage : damages)
    list.push_back({{"damage", damage.damage}, {"auc_reference", damage.auc_reference}, {"auc_drawn", damage.auc_drawn}});
  return Json({{"model", model},
               {"model_sha256", model_sha256},
               {"judge", judge},
               {"judge_sha256", judge_sha256},
               {"damages", list}})
             .dump(2) +
         "\n";
}

Calibration Calibration::from_text(std::string_view text, std::string_view where) {
  const ConfigReader reader(text, std::string(where));
  Calibration calibration{reader.need<std::string>("model"),
                          reader.need<std::string>("model_sha256"),
                          reader.need<std::string>("judge"),
                          reader.need<std::string>("judge_sha256"),
                          {}};
  reader.require("damages", "a list");
  for (const auto& one : reader.objects("damages")) {
    DamageCalibration damage{one.need<std::string>("damage"), one.need<double>("auc_reference"), one.need<double>("auc_drawn")};
    for (const auto& [key, auc] : {std::pair{"auc_reference", damage.auc_reference}, {"auc_drawn", damage.auc_drawn}})
      one.check(auc >= 0 && auc <= 1, key, "an area under the curve of 0 to 1");
    calibration.damages.push_back(std::move(damage));
  }
  return calibration;
}

DamageScoreBasis damage_score_basis(const std::vector<std::string>& all, const std::optional<Calibration>& calibration) {
  DamageScoreBasis basis;
  for (const auto& damage : all) {
    const bool passes =
        calibration && std::any_of(calibration->damages.begin(), calibration->damages.end(),
                                   [&](const auto& known) { return known.damage == damage && known.auc_drawn >= least_auc; });
    (passes ? basis.damages : basis.outside).push_back(damage);
  }
  if (basis.damages.size() >= fewest_damages) return basis;
  basis.uncalibrated =
      !calibration ? "there is no calibration of this judge and model" : "fewer than four damages pass calibration";
  basis.damages = all;
  basis.outside.clear();
  return basis;
}

double area_under_curve(std::span<const double> with, std::span<const double> without) {
  check(!with.empty() && !without.empty(), ErrorKind::input,
        "[calibration] got {} pictures with and {} without a damage, expected some of each", with.size(), without.size());
  std::vector<double> sorted(without.begin(), without.end());
  std::sort(sorted.begin(), sorted.end());
  double above = 0;
  for (const double value : with) {
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), value);
    above += static_cast<double>(first - sorted.begin()) + 0.5 * static_cast<double>(last - first);
  }
  return above / (static_cast<double>(with.size()) * static_cast<double>(without.size()));
}

std::optional<Calibration> find_calibration(const std::filesystem::path& judge_folder, const std::string& model_sha256,
                                            const std::string& judge_sha256, std::string& why) {
  const auto path = judge_folder / names::judge_calibration;
  why = "there is none";
  if (!std::filesystem::exists(path)) return {};
  Calibration calibration = Calibration::from_text(read_file(path, 16 << 20), path.string());
  why = calibration.model_sha256 != model_sha256   ? "it is of another model"
        : calibration.judge_sha256 != judge_sha256 ? "it is of another judge"
                                                   : "";
  return why.empty() ? std::optional(std::move(calibration)) : std::nullopt;
}

}  // namespace negativa
