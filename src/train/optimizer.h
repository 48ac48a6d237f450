#pragma once
// AdamW: Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2, in the order of operations of torch.optim.AdamW.
#include "core/tensor.h"

namespace negativa {

struct AdamWOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 1e-4;
};

// A range of the flat parameters with its own learning rate.
struct ParameterGroup {
  int64_t begin = 0, end = 0;
  double learning_rate = 0;
  double weight_decay = 0;
};

struct AdamWState {
  Tensor exp_avg, exp_avg_sq;  // shaped like the parameters
  int64_t step = 0;            // steps done
  bool is_whole = true;        // false while parameters of one step and the next stand side by side

  explicit AdamWState(const Tensor& parameters) : exp_avg(at::zeros_like(parameters)), exp_avg_sq(at::zeros_like(parameters)) {}
};

// One step on parameters and state, in place. It throws, for want of memory or by a wrong size, before a number changes.
void adamw_step(Tensor& parameters, const Tensor& gradient, AdamWState& state, const std::vector<ParameterGroup>& groups,
                const AdamWOptions& options);

// Scales the gradient down to max_norm where it is longer (torch.nn.utils.clip_grad_norm_); 0: never. Returns its length before.
double clip_gradient(Tensor& gradient, double max_norm);

enum class LrScheduler { constant, cosine };
LrScheduler lr_scheduler_from_name(const std::string& name);  // throws ErrorKind::input

// Whether a step's learning rate follows from the number of all steps: a longer run is another one from its first step on.
bool depends_on_steps(LrScheduler scheduler);

// Factor of the learning rate in optimiser step `step`, from 1: rises over `warmup` steps from 0, then stays or falls along half
// a cosine to 0. Source: diffusers, optimization.py, get_constant_schedule_with_warmup and get_cosine_schedule_with_warmup.
double lr_factor(LrScheduler scheduler, int64_t step, int64_t steps, int64_t warmup);

}  // namespace negativa
