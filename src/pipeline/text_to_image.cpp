#include "pipeline/text_to_image.h"

#include <fmt/ranges.h>

#include <chrono>

#include "pipeline/stages.h"

namespace negativa {

namespace {

std::string listed(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

// Takes the drawings from `first` on through the base, until the group's time is over but one at the least; returns the end.
size_t denoise_for_a_while(Models& models, std::span<Drawing> drawings, size_t first, double seconds, const RunHooks& hooks) {
  using Clock = std::chrono::steady_clock;
  const auto end_time = Clock::now() + std::chrono::duration<double>(seconds);
  size_t end = first;
  do denoise_with_base(models, drawings[end++], hooks);
  while (end < drawings.size() && Clock::now() < end_time);
  return end;
}

Guidance guidance_of(const Plan& plan, double scale) {
  Guidance guidance{classifier_free(scale, plan.guidance_interval), plan.guidance_rescale};
  if (plan.negative_scale) guidance.terms.push_back(away_from_negative(*plan.negative_scale, plan.negative_interval));
  return guidance;
}

}  // namespace

int64_t batch_rows(const Plan& plan) { return plan.negative_scale ? 3 : 2; }

Guidance base_guidance(const Plan& plan) { return guidance_of(plan, plan.guidance_scale); }

Guidance refiner_guidance(const Plan& plan) { return guidance_of(plan, plan.refiner_guidance_scale); }

ImageResult text_to_image(Models& models, const Plan& plan, const RunHooks& hooks) {
  const c10::InferenceMode inference;
  EncodedTexts of_base, of_refiner;
  Drawing drawing = begin_drawing(models, plan);
  encode_for_base(models, drawing, of_base, hooks);  // 1. prompts -> [B,77n,D] and [B,P]: negative, then positive
  encode_for_refiner(models, drawing, of_refiner, hooks);
  draw_noise(models, drawing);                   // 2. [1,C,h,w]
  denoise_with_base(models, drawing, hooks);     // 3. the guided loop
  denoise_with_refiner(models, drawing, hooks);  // 4. its last steps
  return decode(models, drawing, hooks);         // 5. [1,3,H,W] in [-1,1]
}

void text_to_images(Models& models, const std::vector<Plan>& plans, const Grouping& grouping, const RunHooks& hooks,
                    const OnPicture& on_picture) {
  const c10::InferenceMode inference;
  for (size_t begin = 0; begin < plans.size(); begin += grouping.pictures) {
    std::vector<Drawing> drawings;
    for (size_t i = begin; i < std::min(plans.size(), begin + grouping.pictures); ++i)
      drawings.push_back(begin_drawing(models, plans[i])), drawings.back().place = i;
    EncodedTexts of_base, of_refiner;
    for (auto& drawing : drawings) encode_for_base(models, drawing, of_base, hooks);
    for (auto& drawing : drawings) encode_for_refiner(models, drawing, of_refiner, hooks);
    for (auto& drawing : drawings) draw_noise(models, drawing);
    for (size_t first = 0, end = 0; first < drawings.size(); first = end) {
      end = denoise_for_a_while(models, drawings, first, grouping.seconds, hooks);
      for (size_t i = first; i < end; ++i) denoise_with_refiner(models, drawings[i], hooks);
      for (size_t i = first; i < end; ++i) {
        if (hooks.cancel) hooks.cancel->throw_if_cancelled();
        on_picture(begin + i, decode(models, drawings[i], hooks));
      }
    }
  }
}

int64_t denoising_steps(const Models& models, const Plan& plan) { return make_course(models, plan).grid.steps(); }

void check_plan(const Models& models, const Plan& plan) {
  const int64_t factor = models.vae_config().factor();
  check(plan.height_px > 0 && plan.width_px > 0 && plan.height_px % factor == 0 && plan.width_px % factor == 0, ErrorKind::input,
        "[size] got {}x{}, expected width and height in multiples of {}", plan.width_px, plan.height_px, factor);
  check(plan.height_px * plan.width_px <= (int64_t{64} << 20), ErrorKind::input,
        "[size] got {}x{}, expected at most 64 megapixels", plan.width_px, plan.height_px);
  check(!plan.refiner_start || models.refiner_facts(), ErrorKind::input,
        "[refiner] --refiner-start without --refiner; name a refiner model");
  const auto known = sampler_names(), grids = grid_names();
  check(std::find(known.begin(), known.end(), plan.sampler) != known.end(), ErrorKind::input,
        "[sampler] got \"{}\", expected one of {}", plan.sampler, listed(known));
  check(std::find(grids.begin(), grids.end(), plan.grid) != grids.end(), ErrorKind::input,
        "[schedule] got \"{}\", expected one of {}", plan.grid, listed(grids));
  make_course(models, plan);  // throws where sampler, schedule, steps and model do not go together
}

}  // namespace negativa
