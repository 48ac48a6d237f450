// A LoRA on one layer draws what the model with that LoRA baked in draws, for every linear layer that a model of SDXL's kind has.
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "lora/attach.h"
#include "lora/merge_weights.h"
#include "pipeline/stages.h"

namespace negativa {
namespace {

namespace fs = std::filesystem;
using test::relative_error;

// A model folder of SDXL's structure, so narrow that thousands of steps take seconds: emoji-xl with other sizes and random
// weights.
class NarrowModel {
 public:
  NarrowModel() {
    for (const char* same : {"model_index.json", "vae", "tokenizer", "tokenizer_2", "scheduler"})
      fs::create_symlink(test::bundled_model() / same, folder_ / same);
    const Json sizes = {{"block_out_channels", {8, 16, 16}}, {"norm_num_groups", 4},
                        {"attention_head_dim", {1, 2, 2}},   {"layers_per_block", 1},
                        {"transformer_layers_per_block", 1}, {"cross_attention_dim", 40},
                        {"addition_time_embed_dim", 4},      {"projection_class_embeddings_input_dim", 24 + 6 * 4}};
    write("unet", UNet(UNetConfig::from_json(config("unet", sizes), "unet")), "diffusion_pytorch_model.safetensors");
    const auto text = [&](const char* part, int64_t width) {
      const Json narrow = {{"hidden_size", width},
                           {"intermediate_size", 2 * width},
                           {"projection_dim", width},
                           {"num_hidden_layers", 2},
                           {"num_attention_heads", 2}};
      write(part, CLIPTextModel(CLIPTextConfig::parse(config(part, narrow), part)), "model.safetensors");
    };
    text("text_encoder", 16);
    text("text_encoder_2", 24);
  }
  ModelRequest request() const {
    ModelRequest request;
    request.model = folder_.path();
    return request;
  }

 private:
  std::string config(const std::string& part, const Json& sizes) const {
    Json json = read_json_file(test::bundled_model() / part / "config.json");
    json.update(sizes);
    fs::create_directory(folder_ / part);
    write_atomically(folder_ / part / "config.json", json.dump());
    return json.dump();
  }

  // Matrices keep the size of what they are given; norms begin as 1 and 0, roughly.
  void write(const std::string& part, auto model, const char* file) {
    std::map<std::string, Tensor> tensors;
    for (const auto& slot : nn::walk(model).slots) {
      const bool is_matrix = slot.shape.size() > 1, is_scale = !is_matrix && slot.name.ends_with(".weight");
      const double inputs =
          is_matrix ? static_cast<double>(c10::multiply_integers(slot.shape)) / static_cast<double>(slot.shape[0]) : 100;
      tensors[slot.name] = generator_.randn(slot.shape) / std::sqrt(inputs) + (is_scale ? 1 : 0);
    }
    write_safetensors(folder_ / part / file, tensors);
  }

  TemporaryFolder folder_;
  Generator generator_{1};
};

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

std::shared_ptr<const PictureAdapters> attached(const std::shared_ptr<const LoraFile>& file, LoraBranch branch) {
  const std::vector<ActiveLora> loras{{file, 1, branch}};
  auto adapters = std::make_shared<PictureAdapters>();
  adapters->unet = unet_adapters(loras);
  const char* components[] = {"text_encoder", "text_encoder_2"};
  for (int i = 0; i < 2; ++i) {
    adapters->negative_text[i] = text_adapters(loras, components[i], LoraBranch::negative);
    adapters->positive_text[i] = text_adapters(loras, components[i], LoraBranch::positive);
  }
  return adapters;
}

struct Layer {
  std::string component, name;
  nn::Linear* linear;
};

// What pictures of one model share.
struct Drawer {
  Models models;
  EncodedTexts known;

  explicit Drawer(const ModelRequest& request) : models(request) {}

  Drawing begun(const Plan& plan) {
    Drawing drawing = begin_drawing(models, plan);
    encode_for_base(models, drawing, known, {});
    draw_noise(models, drawing);
    return drawing;
  }
  // As the program draws them.
  Tensor latents(const Plan& plan) {
    Drawing drawing = begun(plan);
    denoise_with_base(models, drawing, {});
    return drawing.latents;
  }
  // [2,C,h,w]: what the UNet says of latents `negative` with the negative prompt and of `positive` with the positive one.
  Tensor rows(const Drawing& drawing, int64_t step, const Tensor& negative, const Tensor& positive) {
    const auto& [text, plan] = std::tie(drawing.text, drawing.plan);
    const Tensor ids = time_ids({plan.original_size, plan.crop_top_left, plan.target_size});
    const auto prepared = models.unet()->prepare(
        {at::cat({text.negative.prompt_embeds, text.positive.prompt_embeds}),
         at::cat({text.negative.pooled_prompt_embeds, text.positive.pooled_prompt_embeds}), at::stack({ids, ids})});
    const auto& [sampler, grid] = std::tie(drawing.course.sampler, drawing.course.grid);
    const auto input = [&](const Tensor& latents) { return sampler->scale_model_input(grid.sigmas[step], latents); };
    return models.unet()->forward(at::cat({input(negative), input(positive)}), grid.timesteps[step], prepared);
  }
};

// Two copies of one model. One stays as it is; of the other, one layer at a time is changed as baking changes it.
class AttachedLora : public ::testing::Test {
 protected:
  const c10::InferenceMode inference;
  NarrowModel model;
  Drawer plain{model.request()}, baked{model.request()};
  Plan plan = small_plan(plain.models);
  Tensor nothing;                                             // latents without a LoRA
  std::vector<std::shared_ptr<const PictureAdapters>> alive;  // texts are known by their adapters' place in memory

  AttachedLora() {
    set_threads(1);
    nothing = plain.latents(plan);
  }

  std::vector<Layer> layers_of(const std::string& component) {
    std::vector<Layer> layers;
    const auto add = [&](const auto& loaded) {
      for (const auto& [name, linear] : nn::walk(const_cast<std::remove_cvref_t<decltype(loaded)>&>(loaded)).linears)
        layers.push_back({component, name, linear});
    };
    if (component == "unet")
      add(*baked.models.unet());
    else
      add(component == "text_encoder" ? baked.models.text()->first->model : baked.models.text()->second.model);
    return layers;
  }

  // Latents as they would be if the baked model drew one branch and the plain one the other: [0] baked negative, [1] baked
  // positive. Both at once: where one picture wants a model's negative row, the other wants its positive one.
  std::array<Tensor, 2> one_branch_baked() {
    const Drawing of_plain = plain.begun(plan), of_baked = baked.begun(plan);
    const auto& [sampler, grid] = std::tie(of_plain.course.sampler, of_plain.course.grid);
    Tensor first = of_plain.latents, second = of_plain.latents;
    SamplerState states[2];
    Generator unused(0);
    for (int64_t i = 0; i < grid.steps(); ++i) {
      const Tensor from_baked = baked.rows(of_baked, i, first, second), from_plain = plain.rows(of_plain, i, second, first);
      const auto step = [&](const Tensor& uncond, const Tensor& text, const Tensor& latents, SamplerState& state) {
        const Tensor guided =
            StepGuidance(base_guidance(plan), i, grid.steps()).combine({uncond.unsqueeze(0), text.unsqueeze(0)});
        return sampler->step(
            {i, grid, latents}, [&](const Tensor&, const NoiseLevel&) { return guided; }, unused, state);
      };
      const Tensor next = step(from_baked[0], from_plain[1], first, states[0]);
      second = step(from_plain[0], from_baked[1], second, states[1]);
      first = next;
    }
    return {first, second};
  }

  void expect_as_baked(const Layer& layer, bool is_read) {
    auto& linear = *layer.linear;
    const Tensor weight = linear.weight, packed = linear.packed;
    Generator generator(linear.in_features);
    LoraModule module{generator.randn({2, linear.in_features}), generator.randn({linear.out_features, 2}), 1};
    module.alpha = 2 * weight.norm().item<double>() / delta(module).norm().item<double>();
    auto file = std::make_shared<LoraFile>();
    file->modules[layer.component][layer.name] = module;

    linear.weight = weight + delta(module);
    if (packed.defined()) linear.packed = nn::cpu::pack_linear(linear.weight);
    if (layer.component != "unet") baked.known.clear();
    const auto one_branch = one_branch_baked();
    const std::pair<LoraBranch, Tensor> expected[] = {
        {LoraBranch::both, baked.latents(plan)}, {LoraBranch::negative, one_branch[0]}, {LoraBranch::positive, one_branch[1]}};
    for (const auto& [branch, latents] : expected) {
      Plan with_lora = plan;
      alive.push_back(with_lora.adapters = attached(file, branch));
      const Tensor got = plain.latents(with_lora);
      const std::string where = layer.component + " " + layer.name + ", branch " + branch_name(branch);
      EXPECT_LT(relative_error(got, latents), 1e-4) << where;
      if (is_read)
        EXPECT_GT(relative_error(got, nothing), 1e-3) << where << " does nothing";
      else
        EXPECT_TRUE(at::equal(got, nothing)) << where << " does something";
    }
    linear.weight = weight;
    linear.packed = packed;
  }

  // How many layers that were.
  int expect_all_as_baked(const std::string& component) {
    int walked = 0;
    for (const auto& layer : layers_of(component)) {
      expect_as_baked(layer, component != "text_encoder" || !layer.name.starts_with("text_model.encoder.layers.1."));
      ++walked;
    }
    return walked;
  }
};

TEST_F(AttachedLora, OnALayerOfTheUNetDrawsWhatBakingDoes) { EXPECT_EQ(expect_all_as_baked("unet"), 7 * 12 + 11 + 4); }
// The context of the UNet is the output of the last layer but one, and the pooled vector comes from the second encoder.
TEST_F(AttachedLora, OnALayerOfATextEncoderDrawsWhatBakingDoesButForTheFirstOnesLastThatNoPictureReads) {
  EXPECT_EQ(expect_all_as_baked("text_encoder"), 12);
  EXPECT_EQ(expect_all_as_baked("text_encoder_2"), 13);
}

}  // namespace
}  // namespace negativa
