#include "progress.h"

#include <fmt/format.h>

#include <algorithm>

#include "stderr.h"

namespace negativa::cli {

namespace {

std::string duration(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  return fmt::format("{} h {:02} min", s / 3600, s / 60 % 60);
}

std::string rate(int done, double elapsed_s) {
  const double per_second = done / std::max(elapsed_s, 1e-9);
  return per_second >= 1 ? fmt::format("{:.1f} it/s", per_second) : fmt::format("{:.1f} s/it", 1 / per_second);
}

std::string count_rate_left(int done, int total, double elapsed_s) {
  if (done == 0) return fmt::format("{}/{}", done, total);
  if (done >= total) return fmt::format("{}/{}  {}  in {}", done, total, rate(done, elapsed_s), duration(elapsed_s));
  return fmt::format("{}/{}  {}  {} left", done, total, rate(done, elapsed_s), duration(elapsed_s / done * (total - done)));
}

constexpr int bar_columns = 24;
constexpr std::chrono::milliseconds bar_interval{100}, line_interval{5000};

}  // namespace

std::string progress_bar(const std::string& label, int done, int total, double elapsed_s) {
  const int filled = total > 0 ? static_cast<int>(int64_t{bar_columns} * std::min(done, total) / total) : 0;
  return fmt::format("{}  [{}{}] {}", label, std::string(filled, '#'), std::string(bar_columns - filled, '-'),
                     count_rate_left(done, total, elapsed_s));
}

std::string progress_line(const std::string& label, int done, int total, double elapsed_s) {
  return fmt::format("{}: {}", label, count_rate_left(done, total, elapsed_s));
}

Progress::Progress(std::string label, int total, ProgressMode mode) : label_(std::move(label)), total_(total), mode_(mode) {
  if (mode_ == ProgressMode::automatic)
    mode_ = is_quiet() ? ProgressMode::quiet : stderr_is_terminal() ? ProgressMode::bar : ProgressMode::lines;
}

Progress::~Progress() {
  if (mode_ == ProgressMode::bar && shown_done_ > 0) write_to_stderr("\n");
}

void Progress::tick(int steps) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  if (mode_ == ProgressMode::quiet) return;
  const auto now = Clock::now();
  const auto since_shown = now - shown_at_;
  const bool is_last = done_ >= total_ && shown_done_ < total_;
  const bool is_due = mode_ == ProgressMode::bar ? since_shown >= bar_interval || shown_done_ == 0
                                                 : since_shown >= line_interval && int64_t{done_ - shown_done_} * 10 >= total_;
  if (is_last || is_due) show(now);
}

void Progress::show(Clock::time_point now) {
  const double elapsed_s = std::chrono::duration<double>(now - begin_).count();
  if (mode_ == ProgressMode::bar)
    write_to_stderr(progress_bar(label_, done_, total_, elapsed_s), true);
  else
    write_to_stderr(progress_line(label_, done_, total_, elapsed_s) + "\n");
  shown_at_ = now;
  shown_done_ = done_;
}

}  // namespace negativa::cli
