#pragma once
// What the program lends to the jobs it runs.
#include <functional>

#include "engine/engine.h"
#include "image/events.h"
#include "interrupt.h"
#include "progress.h"

namespace negativa::cli {

// The program's one engine, made when it is first asked for. Nothing stays in memory between requests, since most verbs make but
// one, unless keep_models() was called before.
Engine& engine();

// For verbs whose engine serves many requests. budget: as --memory-budget has it, "4GiB"; absent: half of what is available.
// Throws ErrorKind::input.
void keep_models(const std::optional<std::string>& budget);
inline constexpr const char* memory_budget_help = "what opened models may keep, such as 6GiB; default: half of what is available";

// Progress and notices on stderr.
class TerminalEvents : public EventSink {
 public:
  void on_step(const StepEvent& event) override;
  void on_notice(const std::string& text) override;
  void on_validation(const ValidationEvent& event) override;
  void on_picture(const PictureEvent& event) override;

  std::function<void(const PictureEvent&)> picture;  // what else is done with each

 private:
  std::optional<Progress> progress_;
  std::string stage_;
  int64_t done_ = 0;
};

}  // namespace negativa::cli
