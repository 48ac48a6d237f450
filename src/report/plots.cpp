#include "report/plots.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "stats/words.h"

namespace negativa {

namespace {

constexpr double width = 720;
constexpr size_t styles = 8;  // colours of lines, each with a mark of its own

std::string n(double value) { return fmt::format("{:.1f}", value); }

void line(Html& html, const std::string& kind, double x1, double y1, double x2, double y2) {
  html.single("line", {{"class", kind}, {"x1", n(x1)}, {"y1", n(y1)}, {"x2", n(x2)}, {"y2", n(y2)}});
}

void label(Html& html, const std::string& kind, double x, double y, std::string_view text) {
  html.element("text", text, {{"class", kind}, {"x", n(x)}, {"y", n(y)}});
}

void begin_svg(Html& html, const std::string& title, double height) {
  html.open("svg", {{"viewBox", fmt::format("0 0 {:.0f} {:.0f}", width, height)}, {"role", "img"}, {"aria-label", title}});
}

// Long labels are cut: the table has them whole.
std::string cut(const std::string& text, size_t most) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0) == 0x80) continue;
    if (++characters > most) return text.substr(0, i) + "…";
  }
  return text;
}

// Where things stand in a forest plot.
struct ForestLayout {
  static constexpr double left = 190, right = 520, row = 26, top = 34;
  Axis axis;
  double x(double value) const { return left + std::clamp(axis.share(value), -0.02, 1.02) * (right - left); }
};

Axis axis_of(const Forest& forest) {
  double low = 0, high = 0;
  const auto take = [&](double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  };
  for (const auto& group : forest.groups)
    for (const auto& row : group) {
      take(row.value);
      for (const auto& interval : {row.interval, row.together}) {
        if (!interval) continue;
        take(interval->low);
        take(interval->high);
      }
    }
  return Axis::around(low, high, 5);
}

void draw_row(Html& html, const ForestLayout& at, const ForestRow& row, double y) {
  label(html, "label", at.left - 12, y + 4, cut(row.label, 26));
  html.open("g", {{"class", "mark " + row.kind}});
  if (row.together) line(html, "together", at.x(row.together->low), y, at.x(row.together->high), y);
  if (row.interval) {
    line(html, "interval", at.x(row.interval->low), y, at.x(row.interval->high), y);
    for (const double end : {row.interval->low, row.interval->high}) line(html, "interval", at.x(end), y - 4, at.x(end), y + 4);
  }
  if (row.interval)
    html.single("circle", {{"cx", n(at.x(row.value))}, {"cy", n(y)}, {"r", "4.5"}});
  else
    html.single("rect", {{"x", n(at.x(row.value) - 4)}, {"y", n(y - 4)}, {"width", "8"}, {"height", "8"}, {"class", "hollow"}});
  html.close();
  label(html, "value", at.right + 14, y + 4, row.text);
}

void draw_scale(Html& html, const ForestLayout& at, double bottom) {
  for (double value = at.axis.low; value <= at.axis.high + at.axis.step / 2; value += at.axis.step) {
    line(html, std::abs(value) < at.axis.step / 4 ? "zero" : "grid", at.x(value), at.top - 10, at.x(value), bottom);
    label(html, "tick", at.x(value), bottom + 16, signed_text(value, at.axis.decimals));
  }
}

// Of a plot of lines.
struct PlotLayout {
  static constexpr double left = 64, right = 700, top = 16, bottom = 270, height = 320;
  Axis x_axis, y_axis;
  double x(double value) const { return left + x_axis.share(value) * (right - left); }
  double y(double value) const { return bottom - std::clamp(y_axis.share(value), -0.05, 1.05) * (bottom - top); }
};

PlotLayout layout_of(const LinePlot& plot) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = plot.has_zero_line ? 0 : INFINITY,
         y_high = plot.has_zero_line ? 0 : -INFINITY;
  for (const auto& one : plot.lines)
    for (const auto& point : one.points) {
      x_low = std::min(x_low, point.x), x_high = std::max(x_high, point.x);
      y_low = std::min({y_low, point.y, point.interval ? point.interval->low : point.y});
      y_high = std::max({y_high, point.y, point.interval ? point.interval->high : point.y});
    }
  PlotLayout layout;
  if (!plot.categories.empty())
    layout.x_axis = {-0.5, static_cast<double>(plot.categories.size()) - 0.5, 1, 0};
  else
    layout.x_axis = Axis::around(x_low, x_high, 8);
  layout.y_axis = Axis::around(y_low, y_high, 6);
  return layout;
}

void draw_axes(Html& html, const LinePlot& plot, const PlotLayout& at) {
  for (double value = at.y_axis.low; value <= at.y_axis.high + at.y_axis.step / 2; value += at.y_axis.step) {
    const bool is_zero = plot.has_zero_line && std::abs(value) < at.y_axis.step / 4;
    line(html, is_zero ? "zero" : "grid", at.left, at.y(value), at.right, at.y(value));
    label(html, "tick end", at.left - 8, at.y(value) + 4, number_text(value, at.y_axis.decimals));
  }
  if (plot.categories.empty())
    for (double value = at.x_axis.low; value <= at.x_axis.high + at.x_axis.step / 2; value += at.x_axis.step)
      label(html, "tick", at.x(value), at.bottom + 18, number_text(value, at.x_axis.decimals));
  for (size_t i = 0; i < plot.categories.size(); ++i)
    label(html, "tick", at.x(static_cast<double>(i)), at.bottom + 18, cut(plot.categories[i], 12));
  label(html, "tick", (at.left + at.right) / 2, at.bottom + 40, plot.x_axis);
  label(html, "tick start", at.left, at.top - 4, plot.y_axis);
}

void draw_mark(Html& html, size_t style, double x, double y) {
  switch (style % 4) {
    case 0:
      html.single("circle", {{"cx", n(x)}, {"cy", n(y)}, {"r", "4"}});
      return;
    case 1:
      html.single("rect", {{"x", n(x - 4)}, {"y", n(y - 4)}, {"width", "8"}, {"height", "8"}});
      return;
    case 2:
      html.single("path", {{"d", fmt::format("M{} {}l5 9h-10z", n(x), n(y - 5))}});
      return;
    default:
      html.single("path", {{"d", fmt::format("M{} {}l5 5l-5 5l-5 -5z", n(x), n(y - 5))}});
  }
}

void draw_line(Html& html, const LinePlot& plot, const PlotLayout& at, size_t number) {
  const PlotLine& one = plot.lines[number];
  const bool has_intervals =
      std::any_of(one.points.begin(), one.points.end(), [](const auto& p) { return p.interval.has_value(); });
  const double shift =
      plot.categories.empty() ? 0 : (static_cast<double>(number) - static_cast<double>(plot.lines.size() - 1) / 2) * 8;
  html.open("g", {{"class", fmt::format("line s{}", number % styles)}});
  std::string path;
  for (const auto& point : one.points)
    path += fmt::format("{}{} {}", path.empty() ? "M" : "L", n(at.x(point.x) + shift), n(at.y(point.y)));
  if (!path.empty()) html.single("path", {{"class", "curve"}, {"d", path}});
  for (const auto& point : one.points) {
    const double x = at.x(point.x) + shift;
    if (point.interval) line(html, "interval", x, at.y(point.interval->low), x, at.y(point.interval->high));
    if (has_intervals || one.points.size() <= 24) draw_mark(html, number, x, at.y(point.y));
  }
  html.close();
}

void draw_legend(Html& html, const LinePlot& plot) {
  html.open("ul", {{"class", "legend"}});
  for (size_t i = 0; i < plot.lines.size(); ++i) {
    html.open("li").open("svg", {{"viewBox", "0 0 14 14"}, {"aria-hidden", "true"}, {"class", "key"}});
    html.open("g", {{"class", fmt::format("line s{}", i % styles)}});
    draw_mark(html, i, 7, 7);
    html.close().close().written(plot.lines[i].name).close();
  }
  html.close();
}

}  // namespace

Axis Axis::around(double low, double high, int most) {
  if (!(std::isfinite(low) && std::isfinite(high))) return {};
  if (high - low < 1e-12) {
    const double half = std::max(1e-3, std::abs(low) / 2);
    low -= half, high += half;
  }
  const double rough = (high - low) / most, power = std::pow(10, std::floor(std::log10(rough)));
  const double times = rough / power;
  const double step = power * (times <= 1 ? 1 : times <= 2 ? 2 : times <= 5 ? 5 : 10);
  return {std::floor(low / step + 1e-9) * step, std::ceil(high / step - 1e-9) * step, step,
          std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 8)};
}

void draw(Html& html, const Forest& forest) {
  const ForestLayout at{axis_of(forest)};
  double lines = 0;
  for (size_t g = 0; g < forest.groups.size(); ++g)
    lines += static_cast<double>(forest.groups[g].size()) + (forest.headings[g].empty() ? 0 : 1);
  const double bottom = at.top + lines * at.row;
  html.open("div", {{"class", "plot"}, {"tabindex", "0"}, {"role", "group"}, {"aria-label", forest.title}});
  begin_svg(html, forest.title, bottom + 44);
  draw_scale(html, at, bottom);
  double y = at.top + at.row / 2;
  for (size_t g = 0; g < forest.groups.size(); ++g) {
    if (!forest.headings[g].empty()) {
      label(html, "heading", 8, y + 4, forest.headings[g]);
      y += at.row;
    }
    for (const auto& row : forest.groups[g]) {
      draw_row(html, at, row, y);
      y += at.row;
    }
  }
  label(html, "side end", at.x(0) - 10, 14, forest.left.empty() ? "" : "← " + forest.left);
  label(html, "side start", at.x(0) + 10, 14, forest.right.empty() ? "" : forest.right + " →");
  label(html, "tick", (at.left + at.right) / 2, bottom + 36, forest.axis);
  html.close().close();
}

void draw(Html& html, const LinePlot& plot) {
  const PlotLayout at = layout_of(plot);
  html.open("div", {{"class", "plot"}, {"tabindex", "0"}, {"role", "group"}, {"aria-label", plot.title}});
  begin_svg(html, plot.title, at.height);
  draw_axes(html, plot, at);
  for (size_t i = 0; i < plot.lines.size(); ++i) draw_line(html, plot, at, i);
  html.close().close();
  draw_legend(html, plot);
}

}  // namespace negativa
