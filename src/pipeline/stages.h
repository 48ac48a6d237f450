#pragma once
// The stages of text to image. Each takes a picture on from where the stage before left it, and needs one part of the models.
#include "pipeline/denoise.h"
#include "pipeline/text_to_image.h"

namespace negativa {

struct Conditioning {
  PromptEmbeds negative, positive;            // [1,77n,D] and [1,P] each, of one length
  std::optional<PromptEmbeds> unconditional;  // what an absent negative prompt is; only with Plan::negative_scale
};

struct Course {  // how the noise falls: sampler, grid and who does which step
  std::unique_ptr<const Sampler> sampler,
      refiner_sampler;  // one sampler, for what each model predicts; the latter empty without a refiner
  SigmaGrid grid;
  Split split;
};
Course make_course(const Models& models, const Plan& plan);

// A picture between two stages. It holds embeddings and latents alone, a few MB, so that many can wait for a part of the models.
struct Drawing {
  const Plan& plan;
  Course course;
  Generator generator;
  Conditioning text;
  std::optional<Conditioning> refiner_text;
  Tensor latents;                      // [1,C,h,w] fp32 on the device
  std::map<std::string, Tensor> kept;  // ImageResult::tensors so far
  size_t place = 0;                    // among the plans
};
Drawing begin_drawing(const Models& models, const Plan& plan);  // throws as check_plan

// Embeddings by all that decides them, so that pictures of one text share them. Holds for one model's encoders and while the
// plans live.
using TextKey = std::tuple<std::string, std::string, Weighting, PooledFrom, PooledRow, const void*, std::vector<const void*>,
                           std::vector<std::string>>;
using EncodedTexts = std::map<TextKey, PromptEmbeds>;

void encode_for_base(Models& models, Drawing& drawing, EncodedTexts& known, const RunHooks& hooks);
void encode_for_refiner(Models& models, Drawing& drawing, EncodedTexts& known, const RunHooks& hooks);
// Noise [1,C,h,w], drawn on the CPU whatever the device.
void draw_noise(const Models& models, Drawing& drawing);
void denoise_with_base(Models& models, Drawing& drawing, const RunHooks& hooks);
// Goes on from the base's latents as they are; LoRAs act on the base only.
void denoise_with_refiner(Models& models, Drawing& drawing, const RunHooks& hooks);
ImageResult decode(Models& models, Drawing& drawing, const RunHooks& hooks);

}  // namespace negativa
