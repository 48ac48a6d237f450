#pragma once
// How well a judge tells pictures with a damage from those without: what its words are worth, kept beside it.
// docs/experiments.md, "Judges and calibration".
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace negativa {

struct DamageCalibration {
  std::string damage;
  double auc_reference = 0;  // reference pictures damaged in that way against clean ones, both through the VAE
  double auc_drawn = 0;      // pictures drawn with the word in the caption against those drawn without
};

// Known by what it was made with; of another model or judge it says nothing.
struct Calibration {
  std::string model, model_sha256, judge, judge_sha256;
  std::vector<DamageCalibration> damages;

  std::string to_text() const;  // JSON
  // Throws ErrorKind::file_format or missing_key naming `where`.
  static Calibration from_text(std::string_view text, std::string_view where);
};

inline constexpr double least_auc =
    0.8;  // on drawn pictures; below it a damage is shown but stands outside every score and verdict
inline constexpr size_t fewest_damages =
    4;  // fewer that pass: the score is taken over all, and called uncalibrated wherever it is shown

struct DamageScoreBasis {
  std::vector<std::string> damages;  // that count in the score
  std::vector<std::string> outside;  // shown only
  std::string uncalibrated;          // why the score is over all; empty: it is calibrated
};
DamageScoreBasis damage_score_basis(const std::vector<std::string>& all, const std::optional<Calibration>& calibration);

// Chance that a value of `with` is above one of `without`, ties half. Both at least one. O(n log n).
double area_under_curve(std::span<const double> with, std::span<const double> without);

// The judge's own, if it is of these two; else nothing and, in `why`, what is wrong with it (else "").
std::optional<Calibration> find_calibration(const std::filesystem::path& judge_folder, const std::string& model_sha256,
                                            const std::string& judge_sha256, std::string& why);

}  // namespace negativa
