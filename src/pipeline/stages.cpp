#include "pipeline/stages.h"

#include "pipeline/latent_rgb.h"

namespace negativa {

namespace {

struct Branch {
  std::string prompt, prompt_2;
  const std::array<nn::Adapters, 2>* adapters;  // nullptr: none
};

TextKey key_of(const Plan& plan, const Branch& branch) {
  std::vector<const void*> vectors;
  std::vector<std::string> names;
  for (const auto& embedding : plan.embeddings) {
    names.push_back(embedding.name);
    names.push_back(embedding.also);
    for (const Tensor* tensor : {&embedding.clip_l, &embedding.clip_g}) vectors.push_back(tensor->unsafeGetTensorImpl());
  }
  return {branch.prompt, branch.prompt_2, plan.weighting, plan.pooled, plan.pooled_row, branch.adapters, vectors, names};
}

PromptEmbeds encode_now(const TextModels& text, const Plan& plan, const Branch& branch, DType compute) {
  PromptRequest request;
  request.prompt = branch.prompt;
  request.prompt_2 = branch.prompt_2;
  request.weighting = plan.weighting;
  request.pooled = plan.pooled;
  request.pooled_row = plan.pooled_row;
  request.embeddings = plan.embeddings;
  request.compute = compute;
  if (branch.adapters) {
    request.adapters = &(*branch.adapters)[0];
    request.adapters_2 = &(*branch.adapters)[1];
  }
  return encode_prompt(text, request);
}

enum class Role { base, refiner };  // by its place in the recipe: either kind of model can stand in either

struct Encoding {
  Role role;
  const TextModels& text;
  const ModelFacts& facts;
  DType compute;
  EncodedTexts& known;
};

PromptEmbeds encode(const Encoding& encoding, const Plan& plan, Branch branch) {
  if (branch.adapters && (*branch.adapters)[0].empty() && (*branch.adapters)[1].empty()) branch.adapters = nullptr;
  auto key = key_of(plan, branch);
  if (const auto found = encoding.known.find(key); found != encoding.known.end()) return found->second;
  return encoding.known[std::move(key)] = encode_now(encoding.text, plan, branch, encoding.compute);
}

using TextAdapters = std::array<nn::Adapters, 2>;

// Where the negative prompt has a row of its own, each branch is filled up with the empty prompt as its own LoRAs have it, since
// none act on the unconditional row; zeros stay zeros.
void add_unconditional(Conditioning& text, const Encoding& encoding, const Plan& plan) {
  const bool is_base = encoding.role == Role::base;
  const auto empty = [&](const TextAdapters* adapters) { return encode(encoding, plan, {"", "", is_base ? adapters : nullptr}); };
  const auto tokens = std::max(text.positive.prompt_embeds.size(1), text.negative.prompt_embeds.size(1));
  const auto fill = [&](PromptEmbeds& embeds, const TextAdapters* adapters) {
    if (embeds.prompt_embeds.size(1) < tokens) pad_to_length(embeds, tokens, empty(adapters));
  };
  fill(text.positive, &plan.adapters->positive_text);
  fill(text.negative, &plan.adapters->negative_text);
  if (encoding.facts.zero_negative) {
    text.unconditional = zeros_like(text.positive);
  } else {
    text.unconditional = empty(nullptr);
    fill(*text.unconditional, nullptr);
  }
}

// LoRAs act on the base alone. A model with one encoder reads `prompt` whatever prompt_2 says.
Conditioning encode_prompts(const Encoding& encoding, const Plan& plan, const RunHooks& hooks) {
  const bool is_base = encoding.role == Role::base;
  const auto branch = [&](const std::string& prompt, const std::string& prompt_2, const TextAdapters& adapters) {
    return Branch{prompt, prompt_2, is_base ? &adapters : nullptr};
  };
  const std::string negative = plan.negative_prompt.value_or("");
  Conditioning result;
  result.positive = encode(encoding, plan, branch(plan.prompt, plan.prompt_2, plan.adapters->positive_text));
  if (!plan.negative_prompt && encoding.facts.zero_negative)
    result.negative = zeros_like(result.positive);
  else
    result.negative =
        encode(encoding, plan, branch(negative, plan.negative_prompt_2.value_or(negative), plan.adapters->negative_text));
  for (const auto* embeds : {&result.positive, &result.negative}) {
    if (!is_base || !hooks.on_notice) continue;
    if (!embeds->cut.empty()) hooks.on_notice(fmt::format("the prompt is longer than 77 tokens; cut: \"{}\"", embeds->cut));
    if (!embeds->ignored.empty()) hooks.on_notice(fmt::format("words behind .and() are ignored: \"{}\"", embeds->ignored));
  }
  if (plan.negative_scale)
    add_unconditional(result, encoding, plan);
  else if (result.positive.prompt_embeds.size(1) != result.negative.prompt_embeds.size(1))
    pad_to_same_length(result.negative, result.positive, encode(encoding, plan, branch("", "", plan.adapters->positive_text)));
  return result;
}

// One row of the UNet's batch.
struct ConditionRow {
  const PromptEmbeds& text;
  double aesthetic_score;
};

// In the order of schedule/guidance.h.
std::vector<ConditionRow> condition_rows(const Conditioning& text, const Plan& plan) {
  const ConditionRow negative{text.negative, plan.negative_aesthetic_score}, positive{text.positive, plan.aesthetic_score};
  if (!text.unconditional) return {negative, positive};
  return {{*text.unconditional, plan.negative_aesthetic_score}, positive, negative};
}

UNetCondition condition(const Conditioning& text, const Plan& plan, const UNet& unet, const ModelRequest& request) {
  const auto options = at::TensorOptions(request.compute).device(request.device);
  const int64_t count = unet.config.num_time_ids(text.positive.pooled_prompt_embeds.size(1));
  const SizeCond sizes{plan.original_size, plan.crop_top_left, plan.target_size};
  std::vector<Tensor> embeds, pooled, ids;
  for (const auto& row : condition_rows(text, plan)) {
    embeds.push_back(row.text.prompt_embeds);
    pooled.push_back(row.text.pooled_prompt_embeds);
    ids.push_back(time_ids(sizes, count, row.aesthetic_score));
  }
  return {at::cat(embeds).to(options), at::cat(pooled).to(options), at::stack(ids).to(options)};
}

struct Share {  // of a picture's steps
  const Sampler& sampler;
  StepRange steps;
  const Conditioning& text;
  const nn::Adapters& adapters;
  Guidance guidance;
};

Tensor host(const Tensor& tensor) { return tensor.to(at::kCPU, at::kFloat).contiguous(); }

constexpr int64_t largest_preview_px = 512;

// What x0 looks like: by the linear map a pixel for each of its own, next to nothing beside a step.
Tensor preview_of(Models& models, const Tensor& x0, const RunHooks& hooks) {
  const Tensor latents = x0.to(models.request().compute);
  if (hooks.preview_vae) {
    const Tensor image = hooks.preview_vae->decode(latents).to(at::kCPU, at::kFloat).clamp(-1, 1);
    const int64_t times = (std::max(image.size(2), image.size(3)) + largest_preview_px - 1) / largest_preview_px;
    return times > 1 ? at::avg_pool2d(image, {times, times}) : image;
  }
  return latent_rgb_of(models.vae(hooks.cancel), latents.options())->image(latents);
}

void run_steps(Models& models, const UNet& unet, const Share& share, Drawing& drawing, const RunHooks& hooks) {
  const Plan& plan = drawing.plan;
  const ModelRequest& request = models.request();
  Denoising run{unet,           share.sampler,  drawing.course.grid, share.steps,   condition(share.text, plan, unet, request),
                share.adapters, share.guidance, request.compute,     hooks.on_step, hooks.cancel};
  if (hooks.preview_every > 0 && (models.keeps_parts() || hooks.preview_vae))
    run.on_x0 = [&](int64_t step, const Tensor& x0) {
      if (step % hooks.preview_every == 0) hooks.on_preview(drawing.place, step, preview_of(models, x0, hooks));
    };
  drawing.latents = denoise(run, drawing.latents, drawing.generator);
}

}  // namespace

namespace {
// The refiner goes on from the base's latents, at noise levels and timesteps that mean the same to both.
std::unique_ptr<const Sampler> make_refiner_sampler(const Models& models, const std::string& name) {
  const auto &base = models.facts().scheduler, &refiner = models.refiner_facts()->scheduler;
  check(!has_continuous_timesteps(base) && !has_continuous_timesteps(refiner), ErrorKind::input,
        "[refiner] a model that is told ln(sigma) / 4 instead of timesteps shares no schedule with a refiner; draw without "
        "--refiner");
  check(
      same_noise_levels(base, refiner), ErrorKind::input,
      "[refiner] was trained on other noise levels than the base (beta {} to {}{}, the base {} to {}{}); draw without --refiner",
      refiner.beta_start, refiner.beta_end, refiner.rescale_betas_zero_snr ? ", zero terminal SNR" : "", base.beta_start,
      base.beta_end, base.rescale_betas_zero_snr ? ", zero terminal SNR" : "");
  SchedulerConfig config = base;
  config.prediction_type = refiner.prediction_type;
  return make_sampler(name, config);
}
}  // namespace

Course make_course(const Models& models, const Plan& plan) {
  const auto schedule = make_noise_schedule(models.facts().scheduler);
  Course course{make_sampler(plan.sampler, models.facts().scheduler), {}, {}, {}};
  if (plan.refiner_start) course.refiner_sampler = make_refiner_sampler(models, plan.sampler);
  course.grid = make_grid(schedule, course.sampler->grid_rules(), plan.grid, plan.steps);
  course.split = {{0, course.grid.steps()}, {course.grid.steps(), course.grid.steps()}};
  if (plan.refiner_start)
    course.split = split_steps(course.grid, *plan.refiner_start, models.facts().scheduler.num_train_timesteps);
  return course;
}

Drawing begin_drawing(const Models& models, const Plan& plan) {
  check_plan(models, plan);
  return {plan, make_course(models, plan), Generator(plan.seed), {}, {}, {}, {}};
}

void encode_for_base(Models& models, Drawing& drawing, EncodedTexts& known, const RunHooks& hooks) {
  if (hooks.cancel) hooks.cancel->throw_if_cancelled();
  drawing.text = encode_prompts({Role::base, *models.text(hooks.cancel), models.facts(), models.request().compute, known},
                                drawing.plan, hooks);
  drawing.kept["prompt_embeds"] = host(drawing.text.positive.prompt_embeds);
  drawing.kept["pooled_prompt_embeds"] = host(drawing.text.positive.pooled_prompt_embeds);
  drawing.kept["negative_prompt_embeds"] = host(drawing.text.negative.prompt_embeds);
  drawing.kept["negative_pooled_prompt_embeds"] = host(drawing.text.negative.pooled_prompt_embeds);
  if (!drawing.text.unconditional) return;
  drawing.kept["unconditional_prompt_embeds"] = host(drawing.text.unconditional->prompt_embeds);
  drawing.kept["unconditional_pooled_prompt_embeds"] = host(drawing.text.unconditional->pooled_prompt_embeds);
}

void encode_for_refiner(Models& models, Drawing& drawing, EncodedTexts& known, const RunHooks& hooks) {
  if (drawing.course.split.refiner.size() == 0) return;
  if (hooks.cancel) hooks.cancel->throw_if_cancelled();
  drawing.refiner_text = encode_prompts(
      {Role::refiner, *models.refiner_text(hooks.cancel), *models.refiner_facts(), models.request().compute, known}, drawing.plan,
      hooks);
}

void draw_noise(const Models& models, Drawing& drawing) {
  const int64_t factor = models.vae_config().factor();
  const Tensor noise = drawing.generator.randn(
      {1, models.facts().unet.in_channels, drawing.plan.height_px / factor, drawing.plan.width_px / factor});
  drawing.latents = (noise * drawing.course.sampler->init_noise_sigma(drawing.course.grid)).to(models.request().device);
  drawing.kept["initial_latents"] = host(drawing.latents);
}

void denoise_with_base(Models& models, Drawing& drawing, const RunHooks& hooks) {
  const auto& [plan, course] = std::tie(drawing.plan, drawing.course);
  if (course.split.base.size() > 0)
    run_steps(models, *models.unet(hooks.cancel),
              {*course.sampler, course.split.base, drawing.text, plan.adapters->unet, base_guidance(plan)}, drawing, hooks);
  drawing.kept["base_latents"] = host(drawing.latents);
}

void denoise_with_refiner(Models& models, Drawing& drawing, const RunHooks& hooks) {
  if (drawing.refiner_text)
    run_steps(models, *models.refiner_unet(hooks.cancel),
              {*drawing.course.refiner_sampler, drawing.course.split.refiner, *drawing.refiner_text, nn::Adapters::none(),
               refiner_guidance(drawing.plan)},
              drawing, hooks);
  drawing.kept["latents"] = host(drawing.latents);
}

ImageResult decode(Models& models, Drawing& drawing, const RunHooks& hooks) {
  const DType compute = models.request().compute;
  bool retried = false;
  const Tensor image =
      decode_finite(*models.vae(hooks.cancel), drawing.latents.to(compute), &retried, drawing.plan.vae_tiling, hooks.cancel);
  if (retried && hooks.on_notice)
    hooks.on_notice(fmt::format("the VAE overflowed in {}; decoded again in fp32", dtype_name(compute)));
  ImageResult result{host(image), std::move(drawing.kept)};
  result.tensors["image"] = result.image;
  return result;
}

}  // namespace negativa
