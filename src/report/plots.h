#pragma once
// Plots as inline SVG, coloured by the page's style sheet. Widths are of the view box: 720. Numbers stand in tables beside them.
#include <optional>

#include "report/html.h"
#include "stats/estimate.h"

namespace negativa {

// "Nice" places of an axis from low to high: 1, 2 or 5 times a power of ten apart, about `most` of them.
struct Axis {
  double low = 0, high = 1, step = 1;
  int decimals = 0;  // that tell the places apart
  static Axis around(double low, double high, int most = 6);
  double share(double value) const { return (value - low) / (high - low); }
};

// Differences with their intervals, one a line, against 0.
struct ForestRow {
  std::string label;
  std::string kind;  // class of the mark: "better", "worse", "trades", "unclear" …
  double value = 0;
  std::optional<Interval> interval;
  std::optional<Interval> together = {};  // thin, behind it: holds with the others'
  std::string text;                       // right of it
};
struct Forest {
  std::string title;                  // read out instead of the picture
  std::vector<std::string> headings;  // above groups of rows, "" for none; as many as groups
  std::vector<std::vector<ForestRow>> groups;
  std::string axis;         // what the numbers are: "difference in damage"
  std::string left, right;  // what either side means: "less damage"
};
void draw(Html& html, const Forest& forest);

// Lines over a common axis.
struct PlotPoint {
  double x = 0, y = 0;
  std::optional<Interval> interval = {};
};
struct PlotLine {
  std::string name;
  std::vector<PlotPoint> points;
};
struct LinePlot {
  std::string title, x_axis, y_axis;
  std::vector<PlotLine> lines;
  std::vector<std::string> categories = {};  // names of x = 0, 1 …; empty: x is a number
  bool has_zero_line = false;
};
void draw(Html& html, const LinePlot& plot);

}  // namespace negativa
