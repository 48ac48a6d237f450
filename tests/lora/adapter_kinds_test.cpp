// Adapters of every kind do to a layer what the library that makes them does. Golden: tools/goldens_adapters.py (LyCORIS 4.1.3,
// peft 0.21.2); what no library writes alone is compared with formulas here.
#include <gtest/gtest.h>

#include <set>

#include "lora/merge_weights.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

const SafetensorsFile& adapters() {
  static const auto file = SafetensorsFile::open(golden("adapters.safetensors"));
  return *file;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& [name, layer] : adapters().metadata())
    if (name != "format") names.push_back(name);
  return names;
}

// The tensors of one case's file.
Tensors file_of(const std::string& name) {
  Tensors tensors;
  for (const auto& entry : adapters().entries())
    if (const auto key = entry.name.substr(entry.name.find('|') + 1); entry.name.starts_with(name + "|") && key.size() > 1)
      tensors[key] = adapters().load(entry);
  return tensors;
}

Tensor of_model(const std::string& tensor) {
  static const auto unet = SafetensorsFile::open(golden("../../models/emoji-xl/unet/diffusion_pytorch_model.safetensors"));
  return unet->load(tensor, at::kFloat);
}

// W' - W, b' - b of the one layer that the file acts on.
struct Change {
  LoraTarget target;
  Tensor weight, bias;
};

Change change_of(const LoraFile& lora, const std::string& layer) {
  const auto& layers = model_targets().components.at("unet");
  Change change{*std::find_if(layers.begin(), layers.end(), [&](const auto& target) { return target.name == layer; }), {}, {}};
  if (const auto modules = lora.modules.find("unet"); modules != lora.modules.end())
    change.weight = delta(modules->second.at(layer)).view(change.target.weight_shape());
  const auto changes = lora.changes.find("unet");
  if (changes == lora.changes.end()) return change;
  const auto& other = *changes->second.at(layer);
  if (const Tensor weight = other.of_weight(of_model(layer + ".weight")); weight.defined()) change.weight = weight;
  if (change.target.has_bias) change.bias = other.of_bias(of_model(layer + ".bias"));
  return change;
}

// By how much the layer's output changes.
Tensor output(const Change& change, const Tensor& x) {
  const auto& [target, weight, bias] = change;
  if (target.kind == LoraTarget::Kind::linear) return at::linear(x, weight, bias);
  if (target.kind == LoraTarget::Kind::convolution) {
    const int64_t stride = target.name.find("downsamplers") != std::string::npos ? 2 : 1, padding = target.kernel / 2;
    return at::conv2d(x, weight, bias, {stride, stride}, {padding, padding});
  }
  return x.dim() == 4 ? at::group_norm(x, 16, weight, bias, 1e-5) : at::layer_norm(x, {target.out_features}, weight, bias, 1e-5);
}

Tensor randn(const Shape& shape, uint64_t seed) { return Generator(seed).randn(shape); }

const std::string square = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
                  stem = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q";

Tensors lora_of(int64_t rank) {
  return {{stem + ".lora_down.weight", randn({rank, 64}, 1)}, {stem + ".lora_up.weight", randn({64, rank}, 2)}};
}

Tensors with(Tensors tensors, const std::string& piece, Tensor tensor) {
  tensors[stem + piece] = std::move(tensor);
  return tensors;
}

double apart(const Tensor& got, const Tensor& expected) { return ((got - expected).norm() / expected.norm()).item<double>(); }

}  // namespace

class AdapterGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(AdapterGolden, ChangesTheOutputAsItsLibraryDoes) {
  const auto load = [&](const char* name) { return adapters().load(GetParam() + "|" + name, at::kFloat); };
  const auto lora = write_and_read(file_of(GetParam()));
  EXPECT_TRUE(lora.coverage.unmatched.empty());
  EXPECT_EQ(count_layers(lora), 1);
  const Tensor got = output(change_of(lora, adapters().metadata().at(GetParam())), load("x"));
  EXPECT_LT(apart(got, load("y")), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Cases, AdapterGolden, ::testing::ValuesIn(case_names()), [](const auto& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

TEST(AdapterKinds, OfPlainLorasAreKeptAsProductsAndTheRestAsChanges) {
  EXPECT_EQ(write_and_read(file_of("locon tucker")).modules.at("unet").size(), 1u);
  for (const auto& [name, kind] : {std::pair{"loha", "LoHa"},
                                   {"lokr tucker", "LoKr"},
                                   {"ia3", "(IA)3"},
                                   {"glora", "GLoRA"},
                                   {"difference", "difference"},
                                   {"layer norm", "difference"},
                                   {"dora", "DoRA"},
                                   {"peft dora conv", "DoRA"},
                                   {"lokr dora", "LoKr with DoRA"}}) {
    const auto lora = write_and_read(file_of(name));
    EXPECT_TRUE(lora.modules.empty());
    EXPECT_EQ(lora.changes.at("unet").begin()->second->name(), kind);
  }
}

TEST(AdapterKinds, AScalarInTheFileMultiplies) {
  const Tensor plain = change_of(write_and_read(lora_of(3)), square).weight;
  const Tensor twice = change_of(write_and_read(with(lora_of(3), ".scalar", at::scalar_tensor(2.f))), square).weight;
  EXPECT_LT(apart(twice, 2 * plain), 1e-6);
  const auto loha = file_of("loha");
  auto scaled = loha;
  scaled[loha.begin()->first.substr(0, loha.begin()->first.find('.')) + ".scalar"] = at::scalar_tensor(-0.5f);
  const std::string layer = adapters().metadata().at("loha");
  EXPECT_LT(apart(change_of(write_and_read(scaled), layer).weight, -0.5 * change_of(write_and_read(loha), layer).weight), 1e-6);
}

TEST(AdapterKinds, AlphaOrScalarZeroIsOff) {
  for (const auto& piece : {".alpha", ".scalar"})
    for (const auto& tensors : {lora_of(2), file_of("lokr dora"), file_of("loha"), file_of("glora"), file_of("lokr whole")}) {
      auto off = tensors;
      const std::string& key = tensors.begin()->first;
      off[key.substr(0, key.find('.')) + piece] = at::scalar_tensor(0.f);
      const auto lora = write_and_read(off);
      EXPECT_EQ(lora.coverage.off.size(), 1u) << key << piece;
      EXPECT_EQ(count_layers(lora), 0) << key << piece;
    }
}

TEST(AdapterKinds, ALoraCanComeWithADifferenceOfTheBias) {
  const std::string layer = "mid_block.attentions.0.proj_in", key = "unet." + layer;
  const auto lora = write_and_read({{key + ".lora_A.weight", at::ones({2, 128})},
                                    {key + ".lora_B.weight", at::ones({128, 2})},
                                    {key + ".diff_b", at::full({128}, 0.5f)}});
  EXPECT_EQ(lora.modules.at("unet").size(), 1u);
  EXPECT_TRUE(at::equal(lora.changes.at("unet").at(layer)->of_bias(at::zeros({128})), at::full({128}, 0.5f)));
  EXPECT_FALSE(lora.changes.at("unet").at(layer)->of_weight(at::zeros({128, 128})).defined());
  EXPECT_EQ(count_layers(lora), 1);
}

// On a square layer kohya's [1, in] and peft's [1, out] have one shape.
TEST(AdapterKinds, TheAxisOfADoraFollowsFromTheKeysName) {
  const Tensor values = at::rand({64}) + 0.5, weight = of_model(square + ".weight");
  const Tensor sum = weight + change_of(write_and_read(lora_of(4)), square).weight;
  const auto expected = [&](int64_t axis) { return sum * (values.unsqueeze(axis) / sum.norm(2, axis, true)) - weight; };
  const auto got = [&](const std::string& piece, const Tensor& magnitude) {
    return change_of(write_and_read(with(lora_of(4), piece, magnitude)), square).weight;
  };
  const Tensor row = values.view({1, 64}), column = values.view({64, 1});
  EXPECT_LT(apart(got(".dora_scale", column), expected(1)), 1e-5);
  EXPECT_LT(apart(got(".dora_scale", values), expected(1)), 1e-5);
  EXPECT_LT(apart(got(".dora_scale", row), expected(0)), 1e-5);
  for (const char* name : {".lora_magnitude_vector", ".lora_magnitude_vector.weight", ".lora_magnitude_vector.default.weight"})
    for (const auto& shape : {values, row, column}) EXPECT_LT(apart(got(name, shape), expected(1)), 1e-5) << name;
  EXPECT_GT(apart(expected(0), expected(1)), 0.1);
}

TEST(AdapterKinds, LayersOfOneFileMayHaveKindsAndRanksOfTheirOwn) {
  Tensors all;
  for (const char* name : {"locon linear", "locon conv", "loha", "group norm", "difference"}) all.merge(file_of(name));
  const auto lora = write_and_read(all);
  EXPECT_EQ(count_layers(lora), 5);
  EXPECT_EQ(lora.modules.at("unet").size(), 2u);
  EXPECT_EQ(lora.changes.at("unet").size(), 3u);
}

TEST(AdapterKinds, OutputsMadeInPartsAreThoseMadeAtOnce) {
  std::set<std::string> made_in_parts;
  for (const auto& name : case_names()) {
    const LoraFile lora = write_and_read(file_of(name));
    for (const auto& [component, changes] : lora.changes)
      for (const auto& [layer, change] : changes) {
        const Tensor weight = randn(change->target.weight_shape(), 7), whole = change->of_weight(weight);
        const int64_t part = change->outputs_a_part(), outputs = weight.size(0);
        if (part == 0 || !whole.defined()) continue;
        ASSERT_EQ(outputs % part, 0) << name;
        std::vector<Tensor> parts;
        for (int64_t first = 0; first < outputs; first += part)
          parts.push_back(change->of_outputs(weight.narrow(0, first, part), first));
        ASSERT_TRUE(at::allclose(at::cat(parts), whole, 1e-5, 1e-6)) << name;
        made_in_parts.insert(change->kind->name);
      }
  }
  EXPECT_EQ(made_in_parts, (std::set<std::string>{"LoRA", "LoHa", "LoKr", "(IA)3", "GLoRA", "difference"}));
}

}  // namespace negativa
