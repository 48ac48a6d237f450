#include "host.h"

#include <charconv>
#include <map>

#include "core/memory.h"
#include "environment.h"
#include "stderr.h"

namespace negativa::cli {

namespace {

std::optional<int64_t> memory_budget = 0;  // of the engine to be made; absent: its default

int64_t parse_bytes(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(end, text.data() + text.size());
  const std::map<std::string, double> units = {
      {"", 1}, {"MiB", double(1 << 20)}, {"MB", 1e6}, {"GiB", double(1 << 30)}, {"GB", 1e9}};
  const auto found = units.find(unit);
  check(error == std::errc() && found != units.end() && number >= 0 && number * found->second < 1e15, ErrorKind::input,
        "[--memory-budget] got \"{}\", expected a size such as 6GiB or 512MiB", text);
  return static_cast<int64_t>(number * found->second);
}

}  // namespace

void keep_models(const std::optional<std::string>& budget) {
  memory_budget = budget ? std::optional(parse_bytes(*budget)) : std::nullopt;
}

Engine& engine() {
  static Engine engine({.places = places_of_environment(), .memory_budget_bytes = memory_budget, .while_loading = [] {
                          return std::make_shared<LargeBlocks>();
                        }});
  return engine;
}

void TerminalEvents::on_step(const StepEvent& event) {
  if (event.done == 0 || event.stage != stage_) {
    stage_ = event.stage;
    done_ = 0;
    progress_.emplace(stage_, static_cast<int>(event.total));
  }
  if (event.done > done_) progress_->tick(static_cast<int>(event.done - done_));
  done_ = event.done;
  if (done_ >= event.total) progress_.reset();  // ends the bar's line
}

void TerminalEvents::on_notice(const std::string& text) { notice("{}", text); }

void TerminalEvents::on_validation(const ValidationEvent& event) {
  notice("step {}: validation loss {:.5f}", event.step, event.loss);
}

void TerminalEvents::on_picture(const PictureEvent& event) {
  if (picture) picture(event);
}

}  // namespace negativa::cli
