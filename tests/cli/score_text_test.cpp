#include "score_text.h"

#include "program.h"

namespace negativa::cli {

TEST(ScoreText, ShowsCalibrationsBeforeAnyNote) {
  ScoreReport report;
  report.calibrations = {{"emoji-xl", "", "judge", "", {{"bad hands", 0.91, 0.5}, {"blurry", 0.99, 0.9876}}}};
  report.notes = {"a note"};
  EXPECT_EQ(text_of(report),
            "calibration of judge with emoji-xl: area under the curve on reference pictures, on drawn ones\n"
            "  bad hands                    0.910  0.500  outside every score\n"
            "  blurry                       0.990  0.988\n"
            "a note\n");
}

TEST(ScoreText, OfADryRunCountsThePicturesOfEachFolder) {
  EXPECT_EQ(text_of(ScoreForecast{{{"a", std::vector<ScoredFile>(3)}, {"b", {}}}}), "a: 3 pictures\nb: 0 pictures\n");
}

}  // namespace negativa::cli
