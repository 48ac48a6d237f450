#include "jobs/run_watch.h"

#include "base/log.h"

namespace negativa {

namespace {

int all_steps(const Models& models, const std::vector<Plan>& plans) {
  int64_t steps = 0;
  for (const auto& plan : plans) steps += denoising_steps(models, plan);
  return static_cast<int>(steps);
}

}  // namespace

void say_notices(const Engine& engine, const std::vector<PictureOptions>& asked) {
  std::set<std::string> said;
  for (const auto& picture : asked)
    for (const auto& line : engine.notices(picture))
      if (said.insert(line).second) notice("{}", line);
}

RunWatch::RunWatch(const std::string& label, const Models& models, const std::vector<Plan>& plans, const CancelToken& cancel)
    : progress_(label, all_steps(models, plans)), cancel_(cancel) {}

RunHooks RunWatch::hooks() {
  RunHooks hooks;
  hooks.cancel = &cancel_;
  hooks.on_step = [this] {
    progress_.tick();
    const std::lock_guard lock(mutex_);
    step_ends_.push_back(std::chrono::steady_clock::now());
  };
  hooks.on_notice = [this](const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (said_.insert(text).second) notice("{}", text);
  };
  return hooks;
}

std::optional<double> RunWatch::median_step() const {
  if (step_ends_.size() < 2) return {};
  std::vector<double> seconds;
  for (size_t i = 1; i < step_ends_.size(); ++i)
    seconds.push_back(std::chrono::duration<double>(step_ends_[i] - step_ends_[i - 1]).count());
  std::nth_element(seconds.begin(), seconds.begin() + seconds.size() / 2, seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace negativa
