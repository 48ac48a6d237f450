#include "pipeline/prediction.h"

#include <c10/core/InferenceMode.h>

#include <chrono>
#include <limits>
#include <set>

#include "core/memory.h"
#include "nn/changed_layer.h"
#include "pipeline/stages.h"
#include "text/text_models.h"

namespace negativa {

namespace {

struct LatentSize {
  int64_t height, width;
};
LatentSize latent_size(const Models& models, const Plan& plan) {
  const int64_t factor = models.vae_config().factor();
  return {plan.height_px / factor, plan.width_px / factor};
}

// One model's part of a picture.
struct ModelShare {
  const ModelFiles& files;
  const ModelFacts& facts;
  StepRange steps;
  Guidance guidance;
};

double steps_flop(const ModelShare& share, const Plan& plan, LatentSize size, const Course& course) {
  const UNetConfig& config = share.facts.unet;
  const StepRange& steps = share.steps;
  double flop = steps.size() > 0 ? unet_prepare_flop(config, {batch_rows(plan), size.height, size.width}) : 0;
  const double row = unet_work(config, {1, size.height, size.width}).flop;
  for (int64_t i = steps.begin; i < steps.end; ++i) {
    const auto rows = static_cast<int64_t>(StepGuidance(share.guidance, i, course.grid.steps()).rows().size());
    flop += static_cast<double>(rows * course.sampler->predictions(i, course.grid)) * row;
  }
  return flop;
}

// No prompt beside a negative one is a text more, unless it is zeros.
double texts_flop(const ModelShare& share, const Plan& plan) {
  const double texts = plan.negative_scale && !share.facts.zero_negative ? 3 : 2;
  double flop = 0;
  for (const char* part : {"text_encoder", "text_encoder_2"})
    if (share.files.has(part)) flop += texts * text_flop(text_config(share.files, part));
  return flop;
}

// What the layout of fp32 weights for the CPU's kernels takes on top.
int64_t packed_bytes(const Models& models, const Weights& weights, int64_t held_bytes) {
  const bool is_fp32 = held_bytes == bytes_of(weights, at::kFloat);
  return is_fp32 && models.request().device.is_cpu() ? nn::packed_bytes(weights) : 0;
}

// What LoRAs and other adapters make of the UNet's weights, in all pictures together.
int64_t changed_bytes(const Weights& weights, const std::vector<Plan>& plans, int64_t element_bytes) {
  std::map<std::string, Shape> shapes;
  for (const auto& [key, source] : weights) shapes[key] = source.shape();
  std::set<std::shared_ptr<const PictureAdapters>> counted;
  nn::ChangedBytes all;
  for (const auto& plan : plans) {
    if (plan.adapters->unet.empty() || !counted.insert(plan.adapters).second) continue;
    const auto bytes = nn::changed_bytes(plan.adapters->unet, shapes, element_bytes);
    all.small += bytes.small;
    all.wide += bytes.wide;
    all.widest = std::max(all.widest, bytes.widest);
  }
  return all.small + std::min(all.wide, nn::ChangedLayers::limit_bytes + all.widest);
}

// Of one square where the VAE decodes in several.
Work decode_work(const VaeConfig& config, const Tiling& tiling, int64_t height, int64_t width) {
  if (!tiling.cuts(height, width)) return vae_decode_work(config, height, width);
  return vae_decode_work(config, std::min(height, tiling.side), std::min(width, tiling.side));
}

// What each part holds, with the largest activations of any of the pictures.
std::map<std::string, PictureMemory> stages_of(const Models& models, const std::vector<Plan>& plans) {
  const int64_t element = dtype_bytes(models.request().compute);
  std::map<std::string, PictureMemory> stages;
  for (const auto& [part, weights] : models.weights()) {
    const bool text = is_text_encoder(part), refiner = is_of_refiner(part);
    PictureMemory& stage = stages[text ? (refiner ? "refiner/text" : "text") : part_name(part)];
    const int64_t held = models.weight_bytes(part, weights);
    stage.weights += held + packed_bytes(models, weights, held);
    const int64_t cast = largest_weight(weights) * element;  // one weight on its way, from the file or to a layer
    stage.activations = std::max(stage.activations, cast);
    if (part == Part::unet) stage.weights += changed_bytes(weights, plans, element);
    if (text) continue;
    for (const auto& plan : plans) {
      const auto [height, width] = latent_size(models, plan);
      const Work work = part == Part::vae ? decode_work(models.vae_config(), plan.vae_tiling, height, width)
                                          : unet_work(refiner ? models.refiner_facts()->unet : models.facts().unet,
                                                      {batch_rows(plan), height, width});
      stage.activations = std::max(stage.activations, work.most_elements * element + cast);
    }
  }
  return stages;
}

}  // namespace

double matrix_product_rate() {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t side = 1024;
  const c10::InferenceMode inference;
  nn::Linear layer(side, side, false);
  layer.weight = at::ones({side, side});
  const Tensor x = at::ones({side, side});
  layer.forward(x);  // the library's first call sets it up
  double best = std::numeric_limits<double>::infinity();
  for (const auto begin = Clock::now(); Clock::now() - begin < std::chrono::milliseconds(200);) {
    const auto start = Clock::now();
    layer.forward(x);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return 2.0 * side * side * side / best;
}

double picture_flop(const Models& models, const Plan& plan) {
  const Course course = make_course(models, plan);
  const auto size = latent_size(models, plan);
  double flop = vae_decode_work(models.vae_config(), size.height, size.width).flop;
  std::vector<ModelShare> shares{{models.files(), models.facts(), course.split.base, base_guidance(plan)}};
  if (course.split.refiner.size() > 0)
    shares.push_back({*models.refiner_files(), *models.refiner_facts(), course.split.refiner, refiner_guidance(plan)});
  for (const auto& share : shares) flop += texts_flop(share, plan) + steps_flop(share, plan, size, course);
  return flop;
}

double training_seconds(const TrainingWork& work, double rate) {
  // With frozen weights a step costs 2.12 forward passes, and 3.12 where blocks run once more for their gradient: counted for
  // SDXL at 1024x1024, batch 1.
  const double passes = work.gradient_checkpointing ? 3.12 : 2.12;
  const double flop =
      unet_work(work.unet, {1, work.latent_side, work.latent_side}).flop * passes * static_cast<double>(work.rows);
  return flop / (rate * static_cast<double>(work.workers) * training_efficiency_of(work.is_small));
}

PictureMemory picture_memory(const Models& models, const std::vector<Plan>& plans, int workers, bool unet_is_lent) {
  PictureMemory memory;
  for (auto [name, stage] : stages_of(models, plans)) {
    if (unet_is_lent && name == "unet") stage.weights = 0;
    if (models.keeps_parts()) {
      memory.weights += stage.weights;
      memory.activations = std::max(memory.activations, stage.activations * workers);
    } else if (stage.weights + stage.activations > memory.weights + memory.activations) {
      memory = stage;
    }
  }
  return memory;
}

Prediction predict(const Models& models, const std::vector<Plan>& plans, int workers) {
  Prediction prediction;
  prediction.rate = matrix_product_rate() * workers;
  prediction.efficiency = efficiency_of(models.is_small());
  prediction.program_bytes = resident_bytes();
  prediction.available_bytes = available_bytes();
  for (const auto& plan : plans) prediction.flop += picture_flop(models, plan);
  const PictureMemory memory = picture_memory(models, plans, workers);
  prediction.weights_bytes = memory.weights;
  prediction.activations_bytes = memory.activations;
  return prediction;
}

}  // namespace negativa
