#include "narrow_model.h"

#include "base/json.h"
#include "nn/layers.h"

namespace negativa::test {

namespace fs = std::filesystem;

namespace {

Plan small_plan(const Models& models) {
  Plan plan;
  plan.prompt = plan.prompt_2 = "a big lion";
  plan.negative_prompt = "wrong";
  plan.height_px = plan.width_px = 8 * models.vae_config().factor();
  plan.original_size = plan.target_size = {plan.height_px, plan.width_px};
  plan.steps = 2;
  plan.guidance_scale = 5;
  plan.sampler = "euler";
  plan.grid = "leading";
  return plan;
}

}  // namespace

NarrowModel::NarrowModel() {
  for (const char* same : {"model_index.json", "vae", "tokenizer", "tokenizer_2", "scheduler"})
    fs::create_symlink(bundled_model() / same, folder_ / same);
  const Json sizes = {{"block_out_channels", {8, 16, 16}}, {"norm_num_groups", 4},
                      {"attention_head_dim", {1, 2, 2}},   {"layers_per_block", 1},
                      {"transformer_layers_per_block", 1}, {"cross_attention_dim", 40},
                      {"addition_time_embed_dim", 4},      {"projection_class_embeddings_input_dim", 24 + 6 * 4}};
  UNet unet(UNetConfig::from_json(config("unet", sizes.dump()), "unet"));
  write("unet", nn::walk(unet), "diffusion_pytorch_model.safetensors");
  const auto text = [&](const char* part, int64_t width) {
    const Json narrow = {{"hidden_size", width},
                         {"intermediate_size", 2 * width},
                         {"projection_dim", width},
                         {"num_hidden_layers", 2},
                         {"num_attention_heads", 2}};
    CLIPTextModel encoder(CLIPTextConfig::parse(config(part, narrow.dump()), part));
    write(part, nn::walk(encoder), "model.safetensors");
  };
  text("text_encoder", 16);
  text("text_encoder_2", 24);
}

ModelRequest NarrowModel::request() const {
  ModelRequest request;
  request.model = folder_.path();
  return request;
}

std::string NarrowModel::config(const std::string& part, const std::string& sizes) const {
  Json json = read_json_file(bundled_model() / part / "config.json");
  json.update(Json::parse(sizes));
  fs::create_directory(folder_ / part);
  write_atomically(folder_ / part / "config.json", json.dump());
  return json.dump();
}

// Matrices keep the size of what they are given; norms begin as 1 and 0, roughly.
void NarrowModel::write(const std::string& part, const nn::Walk& walk, const char* file) {
  std::map<std::string, Tensor> tensors;
  for (const auto& slot : walk.slots) {
    const bool is_matrix = slot.shape.size() > 1, is_scale = !is_matrix && slot.name.ends_with(".weight");
    const double inputs =
        is_matrix ? static_cast<double>(c10::multiply_integers(slot.shape)) / static_cast<double>(slot.shape[0]) : 100;
    tensors[slot.name] = generator_.randn(slot.shape) / std::sqrt(inputs) + (is_scale ? 1 : 0);
  }
  write_safetensors(folder_ / part / file, tensors);
}

Drawing Drawer::begun(const Plan& plan) {
  Drawing drawing = begin_drawing(models, plan);
  encode_for_base(models, drawing, known, {});
  draw_noise(models, drawing);
  return drawing;
}

Tensor Drawer::latents(const Plan& plan) {
  Drawing drawing = begun(plan);
  denoise_with_base(models, drawing, {});
  return drawing.latents;
}

Tensor Drawer::rows(const Drawing& drawing, int64_t step, const Tensor& negative, const Tensor& positive) {
  const auto& [text, plan] = std::tie(drawing.text, drawing.plan);
  const Tensor ids = time_ids({plan.original_size, plan.crop_top_left, plan.target_size});
  const auto prepared = models.unet()->prepare({at::cat({text.negative.prompt_embeds, text.positive.prompt_embeds}),
                                                at::cat({text.negative.pooled_prompt_embeds, text.positive.pooled_prompt_embeds}),
                                                at::stack({ids, ids})});
  const auto& [sampler, grid] = std::tie(drawing.course.sampler, drawing.course.grid);
  const auto input = [&](const Tensor& latents) { return sampler->scale_model_input(grid.sigmas[step], latents); };
  return models.unet()->forward(at::cat({input(negative), input(positive)}), grid.timesteps[step], prepared);
}

nn::Walk Drawer::walk(const std::string& component) {
  const auto layers = [](const auto& loaded) { return nn::walk(const_cast<std::remove_cvref_t<decltype(loaded)>&>(loaded)); };
  if (component == "unet") return layers(*models.unet());
  return component == "text_encoder" ? layers(models.text()->first->model) : layers(models.text()->second.model);
}

std::shared_ptr<const PictureAdapters> attached(const std::vector<ActiveLora>& loras) {
  auto adapters = std::make_shared<PictureAdapters>();
  adapters->unet = unet_adapters(loras);
  const char* components[] = {"text_encoder", "text_encoder_2"};
  for (int i = 0; i < 2; ++i) {
    adapters->negative_text[i] = text_adapters(loras, components[i], LoraBranch::negative);
    adapters->positive_text[i] = text_adapters(loras, components[i], LoraBranch::positive);
  }
  return adapters;
}

TwoModels::TwoModels() : plan(small_plan(plain.models)) {
  set_threads(1);
  nothing = plain.latents(plan);
}

Tensor TwoModels::with(const std::vector<ActiveLora>& loras) {
  Plan changed = plan;
  alive.push_back(changed.adapters = attached(loras));
  return plain.latents(changed);
}

std::array<Tensor, 2> TwoModels::one_branch_baked() {
  const Drawing of_plain = plain.begun(plan), of_baked = baked.begun(plan);
  const auto& [sampler, grid] = std::tie(of_plain.course.sampler, of_plain.course.grid);
  Tensor first = of_plain.latents, second = of_plain.latents;
  SamplerState states[2];
  Generator unused(0);
  for (int64_t i = 0; i < grid.steps(); ++i) {
    const Tensor from_baked = baked.rows(of_baked, i, first, second), from_plain = plain.rows(of_plain, i, second, first);
    const auto step = [&](const Tensor& uncond, const Tensor& text, const Tensor& latents, SamplerState& state) {
      const Tensor guided = StepGuidance(base_guidance(plan), i, grid.steps()).combine({uncond.unsqueeze(0), text.unsqueeze(0)});
      return sampler->step(
          {i, grid, latents}, [&](const Tensor&, const NoiseLevel&) { return guided; }, unused, state);
    };
    const Tensor next = step(from_baked[0], from_plain[1], first, states[0]);
    second = step(from_plain[0], from_baked[1], second, states[1]);
    first = next;
  }
  return {first, second};
}

void TwoModels::expect_as_baked(const std::shared_ptr<const LoraFile>& file, bool is_read, const std::string& where) {
  baked.known.clear();
  const auto one_branch = one_branch_baked();
  const std::pair<LoraBranch, Tensor> expected[] = {
      {LoraBranch::both, baked.latents(plan)}, {LoraBranch::negative, one_branch[0]}, {LoraBranch::positive, one_branch[1]}};
  for (const auto& [branch, latents] : expected) {
    SCOPED_TRACE(where + ", branch " + branch_name(branch));
    const Tensor got = with({{file, 1, branch}});
    EXPECT_LT(relative_error(got, latents), 1e-4);
    if (is_read)
      EXPECT_GT(relative_error(got, nothing), 1e-3) << "it does nothing";
    else
      EXPECT_TRUE(at::equal(got, nothing)) << "it does something";
  }
}

}  // namespace negativa::test
