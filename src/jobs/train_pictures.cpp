#include "jobs/train_pictures.h"

#include "base/files.h"
#include "base/names.h"
#include "engine/records.h"
#include "io/image_tensor.h"
#include "jobs/generate.h"
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
  model.isa = options.model.isa;
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

void draw_class_pictures(Engine& engine, const TrainOptions& options, const Caller& caller) {
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
  Session session(engine, model_options(options), caller, pictures.size());
  say_notices(session, {pictures.front()});
  const RunInputs inputs = run_inputs(session, pictures);
  std::vector<Plan> plans;
  for (auto& picture : pictures) {
    picture = session.resolved(picture);
    plans.push_back(session.plan(picture));
  }
  session.draw(plans, "class pictures", [&](size_t i, ImageResult&& result) {
    const Image8 image = tensor_to_images(result.image).front();
    write_atomically(files[i], encode_png(image, picture_text(pictures[i], picture_recipe(session, pictures[i], inputs))));
    caller.events.on_picture({i, files[i], image});
  });
}

namespace {

// Models of its own, since the UNet is the training's.
struct Preview {
  Models models;
  Plan plan;
  Preview(const Engine& engine, const TrainOptions& options)
      : models(request(engine, options), engine.places()), plan(plan_picture(models, preview_picture(options))) {}

  static ModelRequest request(const Engine& engine, const TrainOptions& options) {
    ModelRequest request = model_request(model_options(options), engine.places());
    request.while_loading = engine.settings().while_loading;
    return request;
  }
};

}  // namespace

Image8 draw_preview(const Engine& engine, const TrainOptions& options, const std::shared_ptr<const UNet>& unet,
                    const Trained& trained, const CancelToken& cancel) {
  Preview preview(engine, options);
  preview.models.lend_unet(unet);
  if (!trained.lora.modules.empty())
    preview.plan.adapters = picture_adapters({{std::make_shared<const LoraFile>(trained.lora), 1.0, LoraBranch::both}});
  preview.plan.embeddings = trained.embeddings;
  RunHooks hooks;
  hooks.cancel = &cancel;
  return tensor_to_images(text_to_image(preview.models, preview.plan, hooks).image).front();
}

int64_t preview_bytes(const Engine& engine, const TrainOptions& options) {
  if (options.run.validation_prompt.empty()) return 0;
  const Preview preview(engine, options);
  const PictureMemory memory = picture_memory(preview.models, {preview.plan}, 1, true);
  return memory.weights + memory.activations;
}

TrainingExtras training_extras(const Engine& engine, const TrainOptions& options, const std::string& config_toml,
                               const CancelToken& cancel) {
  const auto draw = [&engine, &options, &cancel](const std::shared_ptr<const UNet>& unet, const Trained& trained) {
    return draw_preview(engine, options, unet, trained, cancel);
  };
  return {config_toml, draw, preview_bytes(engine, options)};
}

}  // namespace negativa
