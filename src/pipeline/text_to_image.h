#pragma once
// Text to image with an SDXL base and refiner. Source: Podell et al. 2023, arXiv:2307.01952; diffusers,
// pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl.py and …_img2img.py.
#include "base/cancel.h"
#include "model/models.h"
#include "schedule/guidance.h"
#include "schedule/sampler.h"
#include "unet/size_cond.h"

namespace negativa {

// What LoRAs add to one picture. Text encoder adapters act on the prompt of their branch; [0] text_encoder, [1] text_encoder_2.
struct PictureAdapters {
  nn::Adapters unet;  // rows [negative, positive], or [no prompt, positive, negative] with Plan::negative_scale
  std::array<nn::Adapters, 2> negative_text, positive_text;
};

// One picture, all questions answered: nothing below sees "auto".
struct Plan {
  std::string prompt, prompt_2;                                   // prompt_2: what the second encoder reads
  std::optional<std::string> negative_prompt, negative_prompt_2;  // absent: the model's rule for no negative prompt
  Weighting weighting = Weighting::compel;
  PooledFrom pooled = PooledFrom::raw;
  PooledRow pooled_row = PooledRow::diffusers;
  int64_t height_px = 0, width_px = 0;
  uint64_t seed = 0;
  int64_t steps = 50;
  double guidance_scale = 7, refiner_guidance_scale = 7;  // 1 or less: no guidance
  double guidance_rescale = 0;
  GuidanceInterval guidance_interval;
  // Guidance away from the negative prompt in a row of its own, beside classifier-free guidance away from no prompt. Absent: the
  // negative prompt is what classifier-free guidance leads away from.
  std::optional<double> negative_scale;
  GuidanceInterval negative_interval;
  std::string sampler, grid;
  std::optional<double> refiner_start;  // absent: no refiner
  SizePx original_size, crop_top_left, target_size;
  std::vector<Embedding> embeddings;  // textual inversion; names usable in every prompt
  double aesthetic_score = 6, negative_aesthetic_score = 2.5;
  Tiling vae_tiling;
  std::shared_ptr<const PictureAdapters> adapters = std::make_shared<PictureAdapters>();
};

// Rows of the UNet's batch at the most: 2, or 3 where the negative prompt has its own.
int64_t batch_rows(const Plan& plan);

// What the plan's steps are guided by.
Guidance base_guidance(const Plan& plan);
Guidance refiner_guidance(const Plan& plan);

struct RunHooks {
  std::function<void()> on_step;  // after each denoising step; may be called from any worker
  std::function<void(const std::string&)> on_notice;
  // What the latents of that picture (its place among the plans) are going to be: [1,3,h,w] in [-1,1], at most 512 pixels a side.
  // By preview_vae; without one by a linear map (latent_rgb.h), and then only of models that keep their parts, since their VAE
  // is needed beside the UNet.
  std::function<void(size_t picture, int64_t step, const Tensor& image)> on_preview;
  std::shared_ptr<const Vae> preview_vae;  // a TAESD of these latents, on the models' device
  int64_t preview_every = 0;               // steps; 0: never
  const CancelToken* cancel = nullptr;     // asked before each of the UNet's predictions
};

// All fp32 on the CPU, under the names --save-tensors gives them.
struct ImageResult {
  Tensor image;  // [1,3,H,W] in [-1,1]
  std::map<std::string, Tensor> tensors;
};

// Throws ErrorKind::cancelled between two predictions of the UNet; whatever the parts throw.
ImageResult text_to_image(Models& models, const Plan& plan, const RunHooks& hooks);

// How many pictures wait for each other, where a part of the models is loaded once for all of them. An interruption loses what
// waits: after that long in the base, pictures go on to refiner and VAE. Reading 7 GB takes seconds, so minutes are enough.
struct Grouping {
  size_t pictures = 64;
  double seconds = 300;
};
using OnPicture = std::function<void(size_t, ImageResult&&)>;

// The same pictures, byte for byte, stage by stage: for models that do not keep their parts. on_picture is called as each is
// decoded.
void text_to_images(Models& models, const std::vector<Plan>& plans, const Grouping& grouping, const RunHooks& hooks,
                    const OnPicture& on_picture);

// Steps of base and refiner together: what a progress bar counts to.
int64_t denoising_steps(const Models& models, const Plan& plan);

// Throws ErrorKind::input for what cannot be: sizes that do not fit the factor, a refiner that is not there, unknown sampler …
void check_plan(const Models& models, const Plan& plan);

}  // namespace negativa
