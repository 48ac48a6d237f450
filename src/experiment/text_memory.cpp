#include "experiment/text_memory.h"

namespace negativa {

const SeenText& TextMemory::read(const std::string& text) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = seen_.find(text); found != seen_.end()) return found->second;
  }
  SeenText seen = judge_.read(text);  // two threads may read the same one: both get the same numbers
  const std::lock_guard lock(mutex_);
  return seen_.emplace(text, std::move(seen)).first->second;
}

}  // namespace negativa
