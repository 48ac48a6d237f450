#include "host.h"

#include "core/memory.h"
#include "environment.h"
#include "stderr.h"

namespace negativa::cli {

Engine& engine() {
  static Engine engine({.places = places_of_environment(), .memory_budget_bytes = 0, .while_loading = [] {
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
