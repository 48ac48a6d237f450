#pragma once
// `negativa score`: what can be measured of the pictures of a folder, and whether those of another one are better.
// docs/experiments.md.
#include <memory>

#include "engine/engine.h"
#include "experiment/calibration.h"
#include "experiment/metrics/metric.h"
#include "image/events.h"
#include "jobs/score_set.h"
#include "stats/bootstrap.h"
#include "stats/compare_sets.h"

namespace negativa {

struct ScoreOptions {
  std::vector<std::string> folder;
  Path judge, reference, out, sheet;
  std::string metrics;
  bool calibrate = false;
  int threads = 0;
  std::string isa = "auto";

  static void visit(auto& self, auto& v) {
    v("folder", self.folder, flag("FOLDER"), "folders of pictures with captions; each is compared with the first");
    v("judge", self.judge,
      "folder of a CLIP model (transformers); default: the bundled model's own judge, for its pictures alone");
    v("reference", self.reference, "folder of pictures as they should be, for cmmd");
    v("metrics", self.metrics, "only these, as clip_score,damage");
    v("calibrate", self.calibrate,
      "first measure how well the judge tells the damages of its world, and keep that in its folder");
    v("out", self.out, flag("-o,--out"), "CSV file with a line a picture");
    v("sheet", self.sheet, "PNG of the best, the worst and the most changed pictures");
    v("threads", self.threads, range(0, 1024), "CPU threads, a picture each; 0: all cores");
    v("isa", self.isa, choices({"auto", "baseline", "avx2", "avx512"}),
      "instructions of the CPU to compute with, on which a measure's last digits depend; auto: all that this machine has");
  }
};

struct PictureScores {
  ScoredFile file;
  int width = 0, height = 0;                  // px
  std::vector<std::optional<double>> values;  // of ScoreReport::metrics; absent: the metric says nothing of it
};

struct SetScores {
  std::string name;
  std::vector<PictureScores> pictures;
};

// What a metric of pictures says of the sets. Absent: it says nothing of any picture of that set.
struct MetricRow {
  std::vector<std::optional<Estimate>> means;             // one a set
  std::vector<size_t> pictures;                           // counted in them
  std::vector<std::optional<SetComparison>> differences;  // of each further set to the first
};

// Of a set's distance to the reference.
struct CmmdRow {
  std::vector<double> unbiased, biased;                     // one a set
  std::vector<std::optional<BootstrapResult>> intervals;    // of unbiased
  std::vector<std::optional<BootstrapResult>> differences;  // of each further set to the first; absent: other prompts or counts
};

struct ScoreReport {
  std::vector<std::string> first_lines;  // what must be known before the numbers are read: unpaired, other formats or sizes
  std::vector<std::string> notes;        // what is left out and why; what counts in the damage score
  std::string judge;                     // its name
  std::vector<Metric> metrics;
  std::vector<MetricRow> rows;  // of metrics
  std::optional<CmmdRow> cmmd;
  std::vector<SetScores> sets;
  DamageScoreBasis basis;
  std::vector<Calibration> calibrations;  // made by this run
  double seconds = 0;
};

// Throws ErrorKind::input for what cannot be scored, in one line. Writes --out and --sheet.
ScoreReport score(Engine& engine, const ScoreOptions& options, EventSink& events, const CancelToken& cancel);

struct ScoreForecast {
  std::vector<ScoreSet> sets;
};

// What --dry-run tells: the pictures found, none of them decoded. Throws as read_score_set does.
ScoreForecast forecast_score(Engine& engine, const ScoreOptions& options, EventSink& events, const CancelToken& cancel);

std::string score_csv(const ScoreReport& report);
// Best, worst and (with several sets) most changed pictures; a row a picture, a column a set.
Image8 score_sheet(const ScoreReport& report, EventSink& events);

}  // namespace negativa
