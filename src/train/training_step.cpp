#include "train/training_step.h"

#include <c10/core/GradMode.h>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <thread>

#include "nn/gradient.h"

namespace negativa {

namespace {

void check_finite(double loss, const TrainingRow& row) {
  check(std::isfinite(loss), ErrorKind::machine,
        "[training] the loss of {} at timestep {} is {}; try a smaller --learning-rate or --dtype fp32", row.picture,
        row.timestep, loss);
}

void check_finite(const TrainedParameters& parameters, const Tensor& gradient, const TrainingRow& row) {
  if (std::isfinite(gradient.sum().item<double>())) return;
  std::map<std::string, Tensor> parts;
  parameters.name_parts("", gradient, parts);
  for (const auto& [name, part] : parts)
    check(at::isfinite(part).all().item<bool>(), ErrorKind::machine,
          "[training] {} at timestep {} gives {} a gradient that is not finite; try a smaller --learning-rate or --dtype fp32",
          row.picture, row.timestep, name);
}

}  // namespace

Tensor add_noise(const NoiseSchedule& schedule, const Tensor& latents, const Tensor& noise, int64_t timestep) {
  const Tensor alpha = schedule.alphas_cumprod[timestep].to(latents.options());
  return alpha.sqrt() * latents + (1 - alpha).sqrt() * noise;
}

double min_snr_weight(const NoiseSchedule& schedule, int64_t timestep, double gamma) {
  if (gamma <= 0) return 1;
  const auto alpha = schedule.alphas_cumprod[timestep].item<double>();
  const double snr = alpha / (1 - alpha);
  return std::min(snr, gamma) / snr;
}

UNetCondition row_condition(const TrainingModel& model, const TrainingRow& row, const TrainedAdapters& adapters) {
  const auto options = at::TensorOptions(model.compute).device(model.device);
  if (!model.text) return {row.prompt_embeds.to(options), row.pooled_prompt_embeds.to(options), row.time_ids.to(options)};
  PromptRequest request;
  request.prompt = row.caption;
  request.weighting = Weighting::none;
  request.adapters = &adapters.of("text_encoder");
  request.adapters_2 = &adapters.of("text_encoder_2");
  request.embeddings = adapters.embeddings;
  request.compute = model.compute;
  const PromptEmbeds embeds = encode_prompt(*model.text, request);
  return {embeds.prompt_embeds, embeds.pooled_prompt_embeds, row.time_ids.to(options)};
}

Tensor row_loss(const TrainingModel& model, const TrainingRow& row, const TrainedAdapters& adapters) {
  const auto options = at::TensorOptions(model.compute).device(model.device);
  const auto& unet_adapters = adapters.of("unet");
  const Tensor latents = row.latents.to(options), noise = row.noise.to(options);
  const auto prepared = model.unet.prepare(row_condition(model, row, adapters), unet_adapters);
  const Tensor noise_pred = model.unet.forward(add_noise(model.schedule, latents, noise, row.timestep),
                                               static_cast<double>(row.timestep), prepared, unet_adapters);
  const DType precise = model.compute == at::kDouble ? at::kDouble : at::kFloat;
  return (noise_pred.to(precise) - noise.to(precise)).square().mean();
}

StepRunner::StepRunner(TrainingModel model, const TrainedParameters& parameters) : model_(model), parameters_(parameters) {
  for (int i = 0; i < model.workers; ++i) adapters_.push_back(parameters.adapters(model.gradient_checkpointing));
}

template <class Work>
void StepRunner::for_each_row(size_t rows, const CancelToken* cancel, const Work& work) {
  std::atomic<size_t> next = 0;
  std::exception_ptr error;
  std::mutex mutex;
  const auto serve = [&](size_t worker) {
    try {
      for (size_t row = next++; row < rows; row = next++) {
        if (cancel) cancel->throw_if_cancelled();
        work(row, worker);
      }
    } catch (...) {
      next = rows;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  };
  std::vector<std::thread> helpers;
  try {
    for (size_t i = 1; i < std::min(adapters_.size(), rows); ++i)
      helpers.emplace_back([&, i] {
        set_threads(1);
        serve(i);
      });
  } catch (const std::system_error&) {  // the system gives no more threads: fewer do the same work
  }
  serve(0);
  for (auto& helper : helpers) helper.join();
  if (error) std::rethrow_exception(error);
}

StepResult StepRunner::run(const std::vector<TrainingRow>& rows, const CancelToken* cancel) {
  StepResult result{0, at::zeros_like(parameters_.flat()), std::vector<double>(rows.size())};
  std::mutex mutex;
  std::condition_variable turn;
  size_t added = 0;  // rows whose gradient is in the sum
  bool failed = false;
  const auto work = [&](size_t i, size_t worker) {
    auto& adapters = adapters_[worker];
    try {
      if (cancel) cancel->throw_if_cancelled();
      const Tensor loss = row_loss(model_, rows[i], adapters);
      result.row_losses[i] = loss.item<double>();
      check_finite(result.row_losses[i], rows[i]);
      nn::backward(loss * rows[i].weight);
      check_finite(parameters_, adapters.gradient, rows[i]);
    } catch (...) {
      const std::lock_guard lock(mutex);
      failed = true;
      turn.notify_all();
      throw;
    }
    std::unique_lock lock(mutex);
    turn.wait(lock, [&] { return added == i || failed; });
    if (!failed) result.gradient.add_(adapters.gradient);
    adapters.gradient.zero_();
    ++added;
    turn.notify_all();
  };
  try {
    for_each_row(rows.size(), nullptr, work);
  } catch (...) {
    for (auto& adapters : adapters_) adapters.gradient.zero_();
    throw;
  }
  for (size_t i = 0; i < rows.size(); ++i) result.loss += rows[i].weight * result.row_losses[i];
  return result;
}

double StepRunner::evaluate(const std::vector<TrainingRow>& rows, const CancelToken* cancel) {
  std::vector<double> losses(rows.size());
  for_each_row(rows.size(), cancel, [&](size_t i, size_t worker) {
    const c10::NoGradGuard no_graph;
    losses[i] = row_loss(model_, rows[i], adapters_[worker]).item<double>();
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum / static_cast<double>(rows.size());
}

}  // namespace negativa
