#include "image/events.h"

namespace negativa {

void RequestEvents::on_step(const StepEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_step(event);
}

void RequestEvents::on_notice(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (said_.insert(text).second) to_.on_notice(text);
}

void RequestEvents::on_preview(const PreviewEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_preview(event);
}

void RequestEvents::on_picture(const PictureEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_picture(event);
}

void RequestEvents::on_loss(const LossEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_loss(event);
}

void RequestEvents::on_validation(const ValidationEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_validation(event);
}

void RequestEvents::on_checkpoint(const CheckpointEvent& event) {
  const std::lock_guard lock(mutex_);
  to_.on_checkpoint(event);
}

Stage::Stage(EventSink& events, std::string name, int64_t total) : events_(events), name_(std::move(name)), total_(total) {
  events_.on_step({name_, 0, total_});
}

void Stage::tick(int64_t steps) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  events_.on_step({name_, done_, total_});
}

}  // namespace negativa
