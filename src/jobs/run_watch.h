#pragma once
// What a person sees of pictures being made: how far the steps are, each notice once, and how long a step takes.
#include <chrono>
#include <set>

#include "base/progress.h"
#include "jobs/engine.h"

namespace negativa {

// Engine::notices of all of them, each once.
void say_notices(const Engine& engine, const std::vector<PictureOptions>& asked);

class RunWatch {
 public:
  RunWatch(const std::string& label, const Models& models, const std::vector<Plan>& plans, const CancelToken& cancel);
  RunHooks hooks();  // hold while this lives
  // Median seconds from one step to the next; absent after fewer than two.
  std::optional<double> median_step() const;

 private:
  Progress progress_;
  const CancelToken& cancel_;
  mutable std::mutex mutex_;
  std::set<std::string> said_;  // many pictures of one prompt have one thing to say
  std::vector<std::chrono::steady_clock::time_point> step_ends_;
};

}  // namespace negativa
