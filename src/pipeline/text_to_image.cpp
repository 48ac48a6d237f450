#include "pipeline/text_to_image.h"

#include <fmt/ranges.h>

#include "pipeline/denoise.h"

namespace negativa {

namespace {

struct Conditioning {
  PromptEmbeds negative, positive;  // [1,77n,D] and [1,P] each, of one length
};

struct Branch {
  std::string prompt, prompt_2;
  const std::array<nn::Adapters, 2>* adapters;  // nullptr: none
};

PromptEmbeds encode(const TextModels& text, const Plan& plan, const Branch& branch, DType compute) {
  PromptRequest request;
  request.prompt = branch.prompt;
  request.prompt_2 = branch.prompt_2;
  request.weighting = plan.weighting;
  request.pooled = plan.pooled;
  request.embeddings = plan.embeddings;
  request.compute = compute;
  if (branch.adapters) {
    request.adapters = &(*branch.adapters)[0];
    request.adapters_2 = &(*branch.adapters)[1];
  }
  return encode_prompt(text, request);
}

// The refiner has one encoder, which reads `prompt` whatever prompt_2 says, and LoRAs do not act on it.
Conditioning encode_prompts(const TextModels& text, const Plan& plan, const ModelFacts& facts, const RunHooks& hooks, DType compute) {
  const bool is_base = text.first.has_value();
  const auto branch = [&](const std::string& prompt, const std::string& prompt_2, const std::array<nn::Adapters, 2>& adapters) {
    return is_base ? Branch{prompt, prompt_2, &adapters} : Branch{prompt, prompt, nullptr};
  };
  const std::string negative = plan.negative_prompt.value_or("");
  Conditioning result;
  result.positive = encode(text, plan, branch(plan.prompt, plan.prompt_2, plan.adapters->positive_text), compute);
  if (!plan.negative_prompt && facts.zero_negative) result.negative = zeros_like(result.positive);
  else result.negative = encode(text, plan, branch(negative, plan.negative_prompt_2.value_or(negative), plan.adapters->negative_text), compute);
  for (const auto* embeds : {&result.positive, &result.negative}) {
    if (!is_base || !hooks.on_notice) continue;
    if (!embeds->cut.empty()) hooks.on_notice(fmt::format("the prompt is longer than 77 tokens; cut: \"{}\"", embeds->cut));
    if (!embeds->ignored.empty()) hooks.on_notice(fmt::format("words behind .and() are ignored: \"{}\"", embeds->ignored));
  }
  if (result.positive.prompt_embeds.size(1) != result.negative.prompt_embeds.size(1))
    pad_to_same_length(result.negative, result.positive, encode(text, plan, branch("", "", plan.adapters->positive_text), compute));
  return result;
}

// [2,6] or [2,5]: rows negative, positive.
Tensor add_time_ids(const Plan& plan, int64_t numbers) {
  const SizeCond sizes{plan.original_size, plan.crop_top_left, plan.target_size};
  return at::stack({time_ids(sizes, numbers, plan.negative_aesthetic_score), time_ids(sizes, numbers, plan.aesthetic_score)});
}

UNetCondition condition(const Conditioning& text, const Plan& plan, const UNet& unet, const ModelRequest& request) {
  const auto options = at::TensorOptions(request.compute).device(request.device);
  const Tensor pooled = at::cat({text.negative.pooled_prompt_embeds, text.positive.pooled_prompt_embeds});
  const int64_t numbers = unet.config.size_numbers(pooled.size(1));
  return {at::cat({text.negative.prompt_embeds, text.positive.prompt_embeds}).to(options), pooled.to(options), add_time_ids(plan, numbers).to(options)};
}

std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

struct Course {  // how the noise falls: sampler, grid and who does which step
  std::unique_ptr<const Sampler> sampler;
  SigmaGrid grid;
  Split split;
};

Course make_course(const Models& models, const Plan& plan) {
  const auto schedule = make_noise_schedule(models.facts().scheduler);
  Course course{make_sampler(plan.sampler, models.facts().scheduler), {}, {}};
  course.grid = make_grid(schedule, course.sampler->grid_rules(), plan.grid, plan.steps);
  course.split = {{0, course.grid.steps()}, {course.grid.steps(), course.grid.steps()}};
  if (plan.refiner_start) course.split = split_steps(course.grid, *plan.refiner_start, models.facts().scheduler.num_train_timesteps);
  return course;
}

Tensor host(const Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

}  // namespace

ImageResult text_to_image(Models& models, const Plan& plan, const RunHooks& hooks) {
  const c10::InferenceMode inference;
  check_plan(models, plan);
  const auto& request = models.request();
  const Course course = make_course(models, plan);
  ImageResult result;
  auto& kept = result.tensors;

  // 1. prompts -> [2,77n,D] and [2,P]: negative, then positive
  const auto text = encode_prompts(models.text(), plan, models.facts(), hooks, request.compute);
  kept["prompt_embeds"] = host(text.positive.prompt_embeds);
  kept["pooled_prompt_embeds"] = host(text.positive.pooled_prompt_embeds);
  kept["negative_prompt_embeds"] = host(text.negative.prompt_embeds);
  kept["negative_pooled_prompt_embeds"] = host(text.negative.pooled_prompt_embeds);
  std::optional<Conditioning> refiner_text;
  if (course.split.refiner.size() > 0)
    refiner_text = encode_prompts(models.refiner_text(), plan, *models.refiner_facts(), hooks, request.compute);

  // 2. noise [1,C,h,w], drawn on the CPU whatever the device
  Generator generator(plan.seed);
  const int64_t factor = models.vae_config().factor();
  const Tensor noise = generator.randn({1, models.facts().unet.in_channels, plan.height_px / factor, plan.width_px / factor});
  Tensor latents = (noise * course.sampler->init_noise_sigma(course.grid)).to(request.device);
  kept["initial_latents"] = host(latents);

  const auto run_steps = [&](const UNet& unet, const Conditioning& embeds, StepRange steps, const nn::Adapters& adapters, double scale) {
    latents = denoise({unet, *course.sampler, course.grid, steps, condition(embeds, plan, unet, request), adapters, scale, plan.guidance_rescale,
                       plan.guidance_interval, request.compute, hooks.on_step, hooks.cancel},
                      latents, generator);
  };
  // 3. base
  if (course.split.base.size() > 0) run_steps(models.unet(), text, course.split.base, plan.adapters->unet, plan.guidance_scale);
  kept["base_latents"] = host(latents);
  // 4. refiner: goes on from the base's latents as they are; LoRAs act on the base only
  if (refiner_text)
    run_steps(models.refiner_unet(), *refiner_text, course.split.refiner, nn::Adapters::none(), plan.refiner_guidance_scale);
  kept["latents"] = host(latents);

  // 5. picture
  bool retried = false;
  const Tensor image = decode_finite(models.vae(), latents.to(request.compute), &retried);
  if (retried && hooks.on_notice) hooks.on_notice(fmt::format("the VAE overflowed in {}; decoded again in fp32", dtype_name(request.compute)));
  kept["image"] = result.image = host(image);
  return result;
}

int64_t denoising_steps(const Models& models, const Plan& plan) { return make_course(models, plan).grid.steps(); }

void check_plan(const Models& models, const Plan& plan) {
  const int64_t factor = models.vae_config().factor();
  check(plan.height_px > 0 && plan.width_px > 0 && plan.height_px % factor == 0 && plan.width_px % factor == 0, ErrorKind::input,
        "[size] got {}x{}, expected width and height in multiples of {}", plan.width_px, plan.height_px, factor);
  check(plan.height_px * plan.width_px <= (int64_t{64} << 20), ErrorKind::input, "[size] got {}x{}, expected at most 64 megapixels", plan.width_px,
        plan.height_px);
  check(!plan.refiner_start || models.refiner_facts(), ErrorKind::input, "[refiner] --refiner-start without --refiner; name a refiner model");
  const auto known = sampler_names(), grids = grid_names();
  check(std::find(known.begin(), known.end(), plan.sampler) != known.end(), ErrorKind::input, "[sampler] got \"{}\", expected one of {}", plan.sampler,
        listed(known));
  check(std::find(grids.begin(), grids.end(), plan.grid) != grids.end(), ErrorKind::input, "[schedule] got \"{}\", expected one of {}", plan.grid,
        listed(grids));
}

}  // namespace negativa
