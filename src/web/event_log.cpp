#include "web/event_log.h"

#include <fmt/format.h>

namespace negativa::web {

void EventLog::add(const std::string& type, const std::string& data) {
  const std::lock_guard lock(mutex_);
  ++last_id_;
  events_.push_back(fmt::format("id: {}\nevent: {}\ndata: {}\n\n", last_id_, type, data));
  if (events_.size() > held_) events_.pop_front();
  for (const auto& [number, wake] : listeners_) wake();
}

EventLog::Batch EventLog::after(uint64_t id, size_t most) const {
  const std::lock_guard lock(mutex_);
  const uint64_t first = last_id_ - events_.size();  // the id before the first that is held
  if (id < first || id > last_id_) return {fmt::format("id: {}\nevent: resync\ndata: {{}}\n\n", last_id_), last_id_};
  Batch batch{"", id};
  while (batch.last_id < last_id_ && most-- > 0) batch.text += events_[static_cast<size_t>(batch.last_id++ - first)];
  return batch;
}

uint64_t EventLog::last_id() const {
  const std::lock_guard lock(mutex_);
  return last_id_;
}

int EventLog::listen(std::function<void()> wake) {
  const std::lock_guard lock(mutex_);
  listeners_[next_listener_] = std::move(wake);
  return next_listener_++;
}

void EventLog::forget(int listener) {
  const std::lock_guard lock(mutex_);
  listeners_.erase(listener);
}

bool EventLog::has_listeners() const {
  const std::lock_guard lock(mutex_);
  return !listeners_.empty();
}

}  // namespace negativa::web
