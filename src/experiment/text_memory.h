#pragma once
// Texts that a judge has read: many pictures share theirs.
#include <map>
#include <mutex>

#include "vision/judge.h"

namespace negativa {

// Safe from several threads; what read() gives stays where it is as long as this lives.
class TextMemory {
 public:
  explicit TextMemory(const Judge& judge) : judge_(judge) {}
  const SeenText& read(const std::string& text);
  const Judge& judge() const { return judge_; }

 private:
  const Judge& judge_;
  std::mutex mutex_;
  std::map<std::string, SeenText> seen_;
};

}  // namespace negativa
