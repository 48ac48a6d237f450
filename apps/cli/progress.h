#pragma once
// How far a loop has come, on stderr.
#include <chrono>
#include <mutex>
#include <string>

namespace negativa::cli {

enum class ProgressMode { automatic, bar, lines, quiet };  // automatic: bar on a terminal, lines elsewhere, nothing with --quiet

// What is shown after `done` of `total` in `elapsed_s` seconds, without line ends: "denoise  [#####-----] 25/50  12.5 it/s  2 s
// left".
std::string progress_bar(const std::string& label, int done, int total, double elapsed_s);
std::string progress_line(const std::string& label, int done, int total, double elapsed_s);

// A bar is drawn at most ten times a second; lines come every tenth of the total, but at most one every five seconds save the
// last.
class Progress {
 public:
  Progress(std::string label, int total, ProgressMode mode = ProgressMode::automatic);
  ~Progress();  // ends the bar's line, also when the loop was left by an exception
  Progress(const Progress&) = delete;

  void tick(int steps = 1);  // safe from several threads

 private:
  using Clock = std::chrono::steady_clock;
  void show(Clock::time_point now);
  const std::string label_;
  const int total_;
  ProgressMode mode_;
  const Clock::time_point begin_ = Clock::now();
  std::mutex mutex_;
  int done_ = 0, shown_done_ = 0;
  Clock::time_point shown_at_ = begin_;
};

}  // namespace negativa::cli
