#include "jobs/train_pictures.h"

#include "base/files.h"
#include "base/names.h"
#include "io/image_tensor.h"
#include "jobs/generate.h"
#include "jobs/records.h"
#include "jobs/run_watch.h"
#include "pipeline/prediction.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

constexpr double guidance_scale = 5;  // diffusers' default, with which its script draws class pictures
constexpr int64_t preview_steps = 25;

ModelOptions model_options(const TrainOptions& options) {
  ModelOptions model;
  model.model = options.model.model;
  model.vae = options.model.vae;
  model.dtype = options.model.dtype;
  model.weights_dtype = options.model.weights_dtype;
  model.device = options.model.device;
  model.threads = options.model.threads;
  return model;
}

int64_t pictures_in(const fs::path& folder) {
  int64_t count = 0;
  for (const auto& entry : fs::directory_iterator(folder)) count += has_picture_name(entry.path());
  return count;
}

PictureOptions class_picture(const TrainOptions& options, int64_t number) {
  PictureOptions picture;
  picture.prompt = options.data.class_prompt;
  picture.weighting = "none";
  picture.cfg_scale = guidance_scale;
  picture.chose_steps_or_cfg = true;
  picture.seed = seed_plus(options.step.seed, static_cast<uint64_t>(number));
  if (options.data.resolution) picture.width = picture.height = *options.data.resolution;
  return picture;
}

PictureOptions preview_picture(const TrainOptions& options) {
  PictureOptions picture;
  picture.prompt = options.run.validation_prompt;
  picture.cfg_scale = guidance_scale;
  picture.steps = preview_steps;
  picture.seed = options.step.seed;
  return picture;
}

}  // namespace

void draw_class_pictures(const TrainOptions& options, const CancelToken& cancel) {
  const fs::path& folder = options.data.class_data;
  if (folder.empty() || options.data.class_prompt.empty()) return;
  make_folder(folder);
  int64_t missing = options.data.class_count - pictures_in(folder);
  if (missing <= 0) return;
  std::vector<fs::path> files;
  std::vector<PictureOptions> pictures;
  for (int64_t number = 0; missing > 0; ++number) {
    const fs::path file = folder / fmt::format("class-{:04}.png", number);
    if (fs::exists(file)) continue;
    files.push_back(file);
    pictures.push_back(class_picture(options, number));
    --missing;
  }
  const ModelOptions model = model_options(options);
  Engine engine(model, pictures.size());
  say_notices(engine, {pictures.front()});
  const RunInputs inputs = run_inputs(engine, model, pictures, &cancel);
  std::vector<Plan> plans;
  for (auto& picture : pictures) {
    picture = engine.resolved(picture);
    plans.push_back(engine.plan(picture));
  }
  RunWatch watch("class pictures", engine.models(), plans, cancel);
  engine.run(plans, watch.hooks(), [&](size_t i, ImageResult&& result) {
    write_atomically(files[i], encode_png(tensor_to_images(result.image).front(),
                                          picture_text(pictures[i], picture_recipe(engine, model, pictures[i], inputs))));
  });
}

Image8 draw_preview(const TrainOptions& options, const std::shared_ptr<const UNet>& unet, const Trained& trained,
                    const CancelToken& cancel) {
  Engine engine(model_options(options), 1);
  engine.models().lend_unet(unet);
  Plan plan = engine.plan(preview_picture(options));
  if (!trained.lora.modules.empty())
    plan.adapters = picture_adapters({{std::make_shared<const LoraFile>(trained.lora), 1.0, LoraBranch::both}});
  plan.embeddings = trained.embeddings;
  RunHooks hooks;
  hooks.cancel = &cancel;
  return tensor_to_images(text_to_image(engine.models(), plan, hooks).image).front();
}

int64_t preview_bytes(const TrainOptions& options) {
  if (options.run.validation_prompt.empty()) return 0;
  Engine engine(model_options(options), 1);
  const PictureMemory memory = picture_memory(engine.models(), {engine.plan(preview_picture(options))}, engine.workers(), true);
  return memory.weights + memory.activations;
}

}  // namespace negativa
