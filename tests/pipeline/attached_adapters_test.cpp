// Adapters of every kind, on every sort of layer that they can act on, draw what the model with them baked in draws; weight 0 is
// no adapter at all, and -1 undoes 1.
#include "lora/merge_weights.h"
#include "model/lora_targets.h"
#include "narrow_model.h"
#include "nn/layers.h"

namespace negativa {
namespace {

using Tensors = std::map<std::string, Tensor>;

Tensor randn(const Shape& shape) {
  static Generator generator(3);
  return generator.randn(shape);
}

// A kind's tensors for a layer; rank 2. Halves of a LoKr: a quarter of either side.
struct Kind {
  const char* name;
  Tensors (*pieces)(const LoraTarget&);
  bool linear = true, convolution = true;
};

Tensors lora(const LoraTarget& t) {
  if (t.kind == LoraTarget::Kind::linear)
    return {{"lora_down.weight", randn({2, t.in_features})}, {"lora_up.weight", randn({t.out_features, 2})}};
  return {{"lora_down.weight", randn({2, t.in_features, t.kernel, t.kernel})},
          {"lora_up.weight", randn({t.out_features, 2, 1, 1})}};
}

Tensors lora_tucker(const LoraTarget& t) {
  return {{"lora_down.weight", randn({2, t.in_features, 1, 1})},
          {"lora_up.weight", randn({t.out_features, 3, 1, 1})},
          {"lora_mid.weight", randn({3, 2, t.kernel, t.kernel})}};
}

Tensors dora(const LoraTarget& t) {
  Tensors pieces = lora(t);
  pieces["dora_scale"] = randn({t.out_features, 1}).abs() + 0.5;
  return pieces;
}

Tensors dora_of_inputs(const LoraTarget& t) {
  Tensors pieces = lora(t);
  pieces["dora_scale"] = randn({1, t.in_features}).abs() + 0.5;
  return pieces;
}

Tensors loha(const LoraTarget& t) {
  return {{"hada_w1_a", randn({t.out_features, 2})},
          {"hada_w1_b", randn({2, t.fan_in()})},
          {"hada_w2_a", randn({t.out_features, 2})},
          {"hada_w2_b", randn({2, t.fan_in()})}};
}

Tensors loha_tucker(const LoraTarget& t) {
  return {{"hada_w1_a", randn({2, t.out_features})},      {"hada_w1_b", randn({2, t.in_features})},
          {"hada_t1", randn({2, 2, t.kernel, t.kernel})}, {"hada_w2_a", randn({2, t.out_features})},
          {"hada_w2_b", randn({2, t.in_features})},       {"hada_t2", randn({2, 2, t.kernel, t.kernel})}};
}

Tensors lokr(const LoraTarget& t) {
  return {{"lokr_w1", randn({4, 4})}, {"lokr_w2_a", randn({t.out_features / 4, 2})}, {"lokr_w2_b", randn({2, t.fan_in() / 4})}};
}

Tensors lokr_tucker(const LoraTarget& t) {
  return {{"lokr_w1_a", randn({4, 2})},
          {"lokr_w1_b", randn({2, 4})},
          {"lokr_w2_a", randn({2, t.out_features / 4})},
          {"lokr_w2_b", randn({2, t.in_features / 4})},
          {"lokr_t2", randn({2, 2, t.kernel, t.kernel})}};
}

Tensors ia3(const LoraTarget& t) { return {{"weight", randn({t.out_features})}, {"on_input", at::scalar_tensor(0, at::kLong)}}; }
Tensors ia3_of_inputs(const LoraTarget& t) {
  return {{"weight", randn({t.in_features})}, {"on_input", at::scalar_tensor(1, at::kLong)}};
}

Tensors glora(const LoraTarget& t) {
  return {{"a1.weight", randn({t.in_features, 2})},
          {"a2.weight", randn({2, t.in_features})},
          {"b1.weight", randn({t.out_features, 2})},
          {"b2.weight", randn({2, t.fan_in()})}};
}

Tensors difference(const LoraTarget& t) {
  Tensors pieces = {{"diff", randn(t.weight_shape())}};
  if (t.has_bias) pieces["diff_b"] = randn({t.out_features});
  return pieces;
}

constexpr Kind kinds[] = {
    {"LoRA", lora}, {"LoRA with a core", lora_tucker, false}, {"DoRA", dora},   {"DoRA of inputs", dora_of_inputs},
    {"LoHa", loha}, {"LoHa with a core", loha_tucker, false}, {"LoKr", lokr},   {"LoKr with a core", lokr_tucker, false},
    {"(IA)3", ia3}, {"(IA)3 of inputs", ia3_of_inputs},       {"GLoRA", glora}, {"difference", difference}};

class AttachedAdapters : public test::TwoModels {
 protected:
  const LoraTargets targets = lora_targets(plain.models.files());
  TemporaryFolder folder;

  const LoraTarget& target(const std::string& component, const std::string& layer) const {
    for (const auto& one : targets.components.at(component))
      if (one.name == layer) return one;
    throw std::runtime_error(layer);
  }

  std::shared_ptr<const LoraFile> read(const std::string& component, const std::string& layer, const Tensors& pieces) {
    Tensors tensors;
    for (const auto& [piece, tensor] : pieces) tensors[component + "." + layer + "." + piece] = tensor;
    write_safetensors(folder / "adapter.safetensors", tensors, {});
    return std::make_shared<const LoraFile>(read_lora(folder / "adapter.safetensors", targets));
  }

  // W' - W and b' - b of a layer, as the file says.
  template <class Layer>
  std::pair<Tensor, Tensor> change_of(const LoraFile& file, const std::string& component, const Layer& layer) {
    if (const auto found = file.modules.find(component); found != file.modules.end())
      return {delta(found->second.begin()->second).view(layer.weight.sizes()), {}};
    const auto& change = *file.changes.at(component).begin()->second;
    return {change.of_weight(layer.weight), layer.bias.defined() ? change.of_bias(layer.bias) : Tensor()};
  }

  static void pack(nn::Linear& layer) { layer.packed = nn::cpu::pack_linear(layer.weight); }
  static void pack(nn::Conv2d& layer) {
    layer.weight = layer.weight.contiguous(at::MemoryFormat::ChannelsLast);
    layer.packed = nn::cpu::pack_conv(layer.weight, layer.shape());
  }
  template <class Norm>
  static void pack(Norm&) {}

  // The same tensors, multiplied so that the weight changes by half of its size.
  template <class Layer>
  std::shared_ptr<const LoraFile> of_good_size(const std::string& component, const Layer& layer, Tensors pieces) {
    const auto [weight, bias] = change_of(*read(component, layer.name, pieces), component, layer);
    pieces["scalar"] = at::scalar_tensor((0.5 * layer.weight.norm() / weight.norm()).template item<double>(), at::kFloat);
    return read(component, layer.name, pieces);
  }

  template <class Layer>
  void expect_of(const std::string& component, Layer& layer, const Tensors& pieces, const std::string& what,
                 bool is_read = true) {
    const std::string where = what + " on " + component + " " + layer.name;
    const Layer before = layer;
    const auto file =
        pieces.contains("dora_scale") ? read(component, layer.name, pieces) : of_good_size(component, layer, pieces);
    const auto [weight, bias] = change_of(*file, component, layer);
    layer.weight = layer.weight + weight;
    if (bias.defined()) layer.bias = layer.bias + bias;
    pack(layer);
    expect_as_baked(file, is_read, where);
    EXPECT_TRUE(at::equal(with({{file, 0, LoraBranch::both}}), nothing)) << where;
    const Tensor undone = with({{file, 1, LoraBranch::both}, {file, -1, LoraBranch::both}});
    EXPECT_LT(test::relative_error(undone, nothing), 1e-5) << where;
    layer = before;
  }
};

TEST_F(AttachedAdapters, OfEveryKindOnALinearLayerDrawWhatBakingDoes) {
  const std::string names[] = {"down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v", "time_embedding.linear_2",
                               "mid_block.attentions.0.proj_out", "text_model.encoder.layers.0.mlp.fc1"};
  for (const char* component : {"unet", "text_encoder_2"})
    for (const auto& [name, linear] : baked.walk(component).linears)
      if (std::find(std::begin(names), std::end(names), name) != std::end(names))
        for (const auto& kind : kinds)
          if (kind.linear) expect_of(component, *linear, kind.pieces(target(component, name)), kind.name);
}

TEST_F(AttachedAdapters, OfEveryKindOnAConvolutionDrawWhatBakingDoes) {
  const std::string names[] = {"down_blocks.0.downsamplers.0.conv", "up_blocks.0.resnets.0.conv1",
                               "up_blocks.1.resnets.0.conv_shortcut"};
  for (const auto& [name, conv] : baked.walk("unet").convolutions)
    if (std::find(std::begin(names), std::end(names), name) != std::end(names))
      for (const auto& kind : kinds)
        if (kind.convolution) expect_of("unet", *conv, kind.pieces(target("unet", name)), kind.name);
}

TEST_F(AttachedAdapters, OnEveryConvolutionDrawWhatBakingDoes) {
  const auto convolutions = baked.walk("unet").convolutions;
  for (const auto& [name, conv] : convolutions) expect_of("unet", *conv, lora(target("unet", name)), "LoRA");
  EXPECT_EQ(convolutions.size(), 35u);
}

// The UNet's context is the output of the first encoder's last layer but one, before its last norm.
TEST_F(AttachedAdapters, OnEveryNormDrawWhatBakingDoes) {
  const auto pieces = [](int64_t width) { return Tensors{{"w_norm", randn({width})}, {"b_norm", randn({width})}}; };
  size_t count = 0;
  for (const char* component : {"unet", "text_encoder", "text_encoder_2"}) {
    const auto walk = baked.walk(component);
    for (const auto& [name, norm] : walk.group_norms) expect_of(component, *norm, pieces(norm->channels), "norm");
    for (const auto& [name, norm] : walk.layer_norms) {
      const bool is_read = component != std::string("text_encoder") ||
                           (!name.starts_with("text_model.encoder.layers.1.") && name != "text_model.final_layer_norm");
      expect_of(component, *norm, pieces(norm->width), "norm", is_read);
    }
    count += walk.group_norms.size() + walk.layer_norms.size();
  }
  EXPECT_EQ(count, 30u + 21 + 10);  // group norms and layer norms of the UNet, and of the encoders
}

TEST_F(AttachedAdapters, OfSeveralFilesOnOneLayerEachStartFromTheBareWeight) {
  const std::string name = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_v";
  const auto linears = baked.walk("unet").linears;
  auto& linear = *std::find_if(linears.begin(), linears.end(), [&](const auto& one) { return one.first == name; })->second;
  const nn::Linear before = linear;
  std::vector<ActiveLora> loras;
  Tensor weight = before.weight;
  for (const auto& [pieces, weight_of] : {std::pair{&dora, 0.7}, {&dora_of_inputs, -0.4}, {&lora, 0.5}, {&loha, 1.0}}) {
    const auto file = read("unet", name, pieces(target("unet", name)));
    loras.push_back({file, weight_of, LoraBranch::both});
    weight = weight + weight_of * change_of(*file, "unet", before).first;
  }
  linear.weight = weight;
  pack(linear);
  EXPECT_LT(test::relative_error(with(loras), baked.latents(plan)), 1e-4);
}

TEST_F(AttachedAdapters, OfAPartOfWeightZeroLeaveThatPartAlone) {
  Tensors tensors;
  const std::string unet = "unet.mid_block.attentions.0.proj_out.", text = "text_encoder_2.text_model.encoder.layers.0.mlp.fc1.";
  const auto add = [&](const std::string& prefix, const Tensors& pieces) {
    for (const auto& [piece, tensor] : pieces) tensors[prefix + piece] = tensor;
  };
  add(unet, dora(target("unet", "mid_block.attentions.0.proj_out")));
  add(text, loha(target("text_encoder_2", "text_model.encoder.layers.0.mlp.fc1")));
  write_safetensors(folder / "both.safetensors", tensors, {});
  const auto both = std::make_shared<const LoraFile>(read_lora(folder / "both.safetensors", targets));
  const auto only = [&](const std::string& component) {
    LoraFile part = *both;
    std::erase_if(part.changes, [&](const auto& one) { return one.first != component; });
    return std::make_shared<const LoraFile>(part);
  };
  const auto weights = [](double of_unet, double of_text) {
    PartWeights parts;
    std::tie(parts.unet, parts.text) = std::pair(of_unet, of_text);
    return parts;
  };
  const LoraBranch branch = LoraBranch::both;
  const Tensor unet_alone = with({{both, weights(0.8, 0), branch}}), text_alone = with({{both, weights(0, -0.3), branch}});
  EXPECT_TRUE(at::equal(unet_alone, with({{only("unet"), 0.8, branch}})));
  EXPECT_TRUE(at::equal(text_alone, with({{only("text_encoder_2"), -0.3, branch}})));
  EXPECT_GT(test::relative_error(unet_alone, nothing), 1e-3);
  EXPECT_GT(test::relative_error(text_alone, nothing), 1e-3);
  const Tensor together = with({{both, weights(0.8, -0.3), branch}});
  EXPECT_TRUE(at::equal(together, with({{only("unet"), 0.8, branch}, {only("text_encoder_2"), -0.3, branch}})));
}

}  // namespace
}  // namespace negativa
