#pragma once
// A few values by key; the one that was used longest ago goes first.
#include <list>
#include <mutex>
#include <string>
#include <utility>

namespace negativa {

// Safe to use from several threads; values are made one at a time. Value is copied out, such as a shared_ptr.
template <class Value>
class RecentlyUsed {
 public:
  explicit RecentlyUsed(size_t capacity) : capacity_(capacity) {}

  template <class Make>
  Value get(const std::string& key, const Make& make) {
    const std::lock_guard lock(mutex_);
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->first != key) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return entry->second;
    }
    Value value = make();
    entries_.emplace_front(key, value);
    if (entries_.size() > capacity_) entries_.pop_back();
    return value;
  }

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::list<std::pair<std::string, Value>> entries_;  // the last used first
};

}  // namespace negativa
