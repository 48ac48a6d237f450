#include "train/optimizer.h"

#include <cmath>
#include <numbers>

namespace negativa {

void adamw_step(Tensor& parameters, const Tensor& gradient, AdamWState& state, const std::vector<ParameterGroup>& groups,
                const AdamWOptions& options) {
  const auto step = static_cast<double>(state.step + 1);
  const double correction1 = 1 - std::pow(options.beta1, step), correction2 = std::sqrt(1 - std::pow(options.beta2, step));
  // All the memory that is needed is taken, and all sizes are tried, before the first number changes.
  std::vector<Tensor> denominators;
  for (const auto& group : groups) {
    const int64_t size = std::max<int64_t>(0, group.end - group.begin);
    for (const Tensor& flat : {parameters, gradient, state.exp_avg, state.exp_avg_sq})
      flat.narrow(0, size > 0 ? group.begin : 0, size);
    denominators.push_back(at::empty({size}, state.exp_avg_sq.options()));
  }
  state.is_whole = false;
  for (size_t i = 0; i < groups.size(); ++i) {
    const auto& group = groups[i];
    if (group.end <= group.begin) continue;
    const auto part = [&](const Tensor& flat) { return flat.narrow(0, group.begin, group.end - group.begin); };
    Tensor parameter = part(parameters), exp_avg = part(state.exp_avg), exp_avg_sq = part(state.exp_avg_sq);
    const Tensor grad = part(gradient);
    parameter.mul_(1 - group.learning_rate * group.weight_decay);
    exp_avg.lerp_(grad, 1 - options.beta1);
    exp_avg_sq.mul_(options.beta2).addcmul_(grad, grad, 1 - options.beta2);
    Tensor& denominator = at::sqrt_out(denominators[i], exp_avg_sq).div_(correction2).add_(options.eps);
    parameter.addcdiv_(exp_avg, denominator, -group.learning_rate / correction1);
  }
  ++state.step;
  state.is_whole = true;
}

double clip_gradient(Tensor& gradient, double max_norm) {
  const double norm = gradient.norm().item<double>();
  if (max_norm > 0 && std::isfinite(norm)) gradient.mul_(std::min(1.0, max_norm / (norm + 1e-6)));
  return norm;
}

LrScheduler lr_scheduler_from_name(const std::string& name) {
  if (name == "constant") return LrScheduler::constant;
  if (name == "cosine") return LrScheduler::cosine;
  fail(ErrorKind::input, "[--lr-scheduler] got \"{}\", expected constant or cosine", name);
}

bool depends_on_steps(LrScheduler scheduler) { return scheduler != LrScheduler::constant; }

double lr_factor(LrScheduler scheduler, int64_t step, int64_t steps, int64_t warmup) {
  const auto done = static_cast<double>(step - 1);
  if (step - 1 < warmup) return done / static_cast<double>(warmup);
  if (scheduler == LrScheduler::constant) return 1;
  const double progress = (done - static_cast<double>(warmup)) / static_cast<double>(std::max<int64_t>(1, steps - warmup));
  return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * progress)));
}

}  // namespace negativa
