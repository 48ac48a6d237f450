#include "unet/unet.h"

#include <ATen/core/grad_mode.h>
#include <ATen/record_function.h>
#include <gtest/gtest.h>

#include <set>

#include "base/json.h"
#include "core/generator.h"
#include "golden_file.h"
#include "io/model_config.h"
#include "nn/gradient.h"

namespace negativa {
namespace {

using test::golden;
using test::relative_error;

UNet load_unet(const std::filesystem::path& folder, bool packed) {
  const ModelFiles files = open_model(folder);
  UNet unet(UNetConfig::from_json(files.config_json("unet"), "unet"));
  nn::LoadOptions options;
  options.storage = at::kFloat;
  options.pack_small = packed;
  unet.load(files.weights("unet"), options);
  return unet;
}

struct Case {
  std::shared_ptr<const SafetensorsFile> file = golden("unet_emoji");
  std::string name;
  Tensor at(const std::string& key) const { return file->load(name + "." + key); }
  UNetCondition condition() const { return {at("prompt_embeds"), at("pooled_prompt_embeds"), at("add_time_ids")}; }
  Tensor run(const UNet& unet, const nn::Adapters& adapters = nn::Adapters::none()) const {
    return unet.forward(at("sample"), at("timestep").item<float>(), unet.prepare(condition(), adapters), adapters);
  }
};

// Names of the library's operators that f calls on this thread.
std::set<std::string> operators_called(const std::function<void()>& f) {
  static thread_local std::set<std::string> names;
  names.clear();
  const auto note = [](const at::RecordFunction& call) -> std::unique_ptr<at::ObserverContext> {
    names.insert(call.name());
    return nullptr;
  };
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(note).scopes({at::RecordScope::FUNCTION}));
  f();
  at::removeCallback(handle);
  return names;
}

// diffusers 0.42.1, fp32, one thread: tools/goldens_model.py.
TEST(UNet, BaseRefinerAndOddSizesEqualDiffusers) {
  const c10::InferenceMode inference;
  for (const auto& [name, folder] : {std::pair<const char*, const char*>{"base", "."}, {"odd", "."}, {"refiner", "refiner"}}) {
    const UNet unet = load_unet(test::bundled_model() / folder, true);
    const Case golden_case{.name = name};
    EXPECT_LT(relative_error(golden_case.run(unet), golden_case.at("noise_pred")), 1e-5) << name;
  }
}

// SSD-1B, Segmind-Vega and KOALA at few channels: tools/goldens_pruned.py.
TEST(UNet, OfFewerBlocksThanSdxlsEqualsDiffusers) {
  const c10::InferenceMode inference;
  Case golden_case{.file = golden("unet_pruned"), .name = {}};
  for (const char* name : {"ssd", "vega", "koala"}) {
    golden_case.name = name;
    const std::string prefix = std::string(name) + ".weights.";
    Weights weights;
    for (const auto& entry : golden_case.file->entries())
      if (entry.name.starts_with(prefix))
        weights[entry.name.substr(prefix.size())] = {.file = golden_case.file, .key = entry.name};
    UNet unet(UNetConfig::from_json(golden_case.file->metadata().at(name), name));
    unet.load(weights, {.storage = at::kFloat});
    EXPECT_LT(relative_error(golden_case.run(unet), golden_case.at("noise_pred")), 1e-5) << name;
    // A single file says no more than its shapes do.
    Json config = parse_json(unet_config_json(weights), name);
    const Json given = parse_json(golden_case.file->metadata().at(name), name);
    for (const char* key : {"mid_block_type", "layers_per_block", "down_block_types", "up_block_types"})
      EXPECT_EQ(config.at(key), given.at(key)) << name << " " << key;
    for (const char* key : {"attention_head_dim", "norm_num_groups", "addition_time_embed_dim", "sample_size"})
      config[key] = given[key];
    const auto read = UNetConfig::from_json(config.dump(), name);
    for (size_t i = 0; i < read.blocks.size(); ++i) {
      EXPECT_EQ(read.blocks[i].down_depths, unet.config.blocks[i].down_depths) << name << " " << i;
      EXPECT_EQ(read.blocks[i].up_depths, unet.config.blocks[i].up_depths) << name << " " << i;
    }
  }
}

TEST(UNet, WithGradientsWantedTheLibrarysOwnKernelsGiveTheSame) {
  const UNet unet = load_unet(test::bundled_model(), false);
  const Case golden_case{.name = "base"};
  const UNetCondition condition = golden_case.condition();
  const Tensor sample = golden_case.at("sample").requires_grad_(true);
  Tensor noise_pred;
  const auto forward = [&] {
    noise_pred = unet.forward(sample, golden_case.at("timestep").item<float>(), unet.prepare(condition));
  };
  for (const bool wanted : {true, false}) {
    const c10::AutoGradMode mode(wanted);
    const auto called = operators_called(forward);
    for (const char* name : {"aten::layer_norm", "aten::scaled_dot_product_attention"})  // our kernels of both have no gradients
      EXPECT_EQ(called.contains(name), wanted) << name;
    EXPECT_EQ(noise_pred.requires_grad(), wanted);
    EXPECT_LT(relative_error(noise_pred.detach(), golden_case.at("noise_pred")), 1e-5);
    if (wanted) nn::backward(noise_pred.square().sum());
  }
  ASSERT_TRUE(sample.grad().defined());
  EXPECT_TRUE(at::isfinite(sample.grad()).all().item<bool>() && sample.grad().count_nonzero().item<int64_t>() == sample.numel());
}

TEST(UNet, Fp16StorageCastAtEachCallGivesTheVeryValuesOfFp32) {
  const c10::InferenceMode inference;
  const ModelFiles files = open_model(test::bundled_model());
  UNet stored(UNetConfig::from_json(files.config_json("unet"), "unet"));
  stored.load(files.weights("unet"), {});  // as in the file: fp16
  const UNet cast = load_unet(test::bundled_model(), false);
  const Case golden_case{.name = "base"};
  EXPECT_TRUE(at::equal(golden_case.run(stored), golden_case.run(cast)));
}

TEST(UNet, ARowDoesNotDependOnItsNeighbour) {
  const c10::InferenceMode inference;
  const UNet unet = load_unet(test::bundled_model(), true);
  const Case golden_case{.name = "base"};
  const auto prepared = unet.prepare(golden_case.condition());
  const Tensor one =
      unet.forward(golden_case.at("sample").narrow(0, 1, 1), golden_case.at("timestep").item<float>(), prepared.rows({1}));
  EXPECT_LT(relative_error(one, golden_case.at("noise_pred").narrow(0, 1, 1)), 1e-5);
}

TEST(UNet, AnAdapterOnOneRowLeavesTheOtherRowsBytesAlone) {
  const c10::InferenceMode inference;
  UNet unet = load_unet(test::bundled_model(), true);
  const Case golden_case{.name = "base"};
  const Tensor plain = golden_case.run(unet);
  Generator generator(1);
  for (const char* end : {"to_v", "time_emb_proj", "time_embedding.linear_1", "time_embedding.linear_2", "add_embedding.linear_1",
                          "add_embedding.linear_2", ""}) {
    nn::Adapters adapters;
    for (const auto& [name, linear] : nn::walk(unet).linears)
      if (name.ends_with(end))
        adapters.add(
            name, {generator.randn({2, linear->in_features}), generator.randn({linear->out_features, 2}) * 0.05, {0.0f, 1.0f}});
    const Tensor adapted = golden_case.run(unet, adapters);
    EXPECT_TRUE(at::equal(plain[0], adapted[0])) << end;
    EXPECT_GT(relative_error(adapted[1], plain[1]), 1e-3) << end;
  }
}

// Along a random direction of the factors on the time embedding, the gradient's slope is that of the loss.
TEST(UNet, GradientsReachAdaptersOfEveryLinearLayer) {
  UNet unet = load_unet(test::bundled_model(), false);
  Generator generator(3);
  const auto randn = [&](const Shape& shape) { return generator.randn(shape).to(at::kDouble); };
  std::vector<std::pair<std::string, Tensor>> leaves;
  nn::Adapters adapters;
  for (const auto& [name, linear] : nn::walk(unet).linears) {
    const Tensor down = randn({1, linear->in_features}).requires_grad_(true),
                 up = (randn({linear->out_features, 1}) * 0.01).requires_grad_(true);
    leaves.insert(leaves.end(), {{name, down}, {name, up}});
    adapters.add(name, {down, up, {1.0f}});
  }
  const Tensor sample = randn({1, 4, 4, 4}), prompt_embeds = randn({1, 77, unet.config.cross_attention_dim()}),
               pooled = randn({1, 96});
  const auto loss = [&] {
    return unet
        .forward(sample, 500, unet.prepare({prompt_embeds, pooled, at::full({1, 6}, 64.0, at::kDouble)}, adapters), adapters)
        .square()
        .sum();
  };
  nn::backward(loss());
  std::vector<Tensor> moved, directions;
  double slope = 0;
  for (auto& [name, leaf] : leaves) {
    ASSERT_TRUE(leaf.grad().defined() && leaf.grad().count_nonzero().item<int64_t>() > 0) << name;
    if (name.find("time_emb") == std::string::npos && name.find("add_embedding") == std::string::npos) continue;
    moved.push_back(leaf);
    directions.push_back(randn(shape_of(leaf)));
    slope += (leaf.grad() * directions.back()).sum().item<double>();
  }
  const auto along = [&](double step) {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < moved.size(); ++i) moved[i].add_(directions[i], step);
    const double value = loss().item<double>();
    for (size_t i = 0; i < moved.size(); ++i) moved[i].add_(directions[i], -step);
    return value;
  };
  EXPECT_NEAR(slope, (along(1e-6) - along(-1e-6)) / 2e-6, 1e-5 * std::abs(slope));
}

// sdxl.md 3.3: golden values of the sinusoid.
TEST(SinusoidalEmbedding, CosinesComeFirst) {
  const Tensor a = sinusoidal_embedding(at::tensor({981.0f}), 320, true, 0);
  const std::pair<int, double> of_981[] = {{0, .67995721},   {1, -.79842919},  {2, .57806414},  {159, .99460590},
                                           {160, .73325181}, {161, .60208869}, {319, .10372588}};
  for (const auto& [index, value] : of_981) EXPECT_NEAR(a[0][index].item<float>(), value, 2e-5) << index;
  const Tensor b = sinusoidal_embedding(at::tensor({2.5f}), 256, true, 0);
  EXPECT_NEAR(b[0][0].item<float>(), -.80114359, 1e-6);
  EXPECT_NEAR(b[0][128].item<float>(), .59847212, 1e-6);
}

TEST(UNet, SaysWhichKeysDoNotFit) {
  const ModelFiles files = open_model(test::bundled_model());
  UNet unet(UNetConfig::from_json(files.config_json("unet"), "unet"));
  Weights weights = files.weights("unet");
  weights.erase("conv_in.bias");
  weights["conv_in.offset"] = weights.at("conv_out.bias");
  weights["mid_block.resnets.0.conv1.bias"] = weights.at("conv_out.bias");
  try {
    unet.load(weights, {});
    FAIL() << "loaded";
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::missing_key);
    for (const char* part :
         {"1 missing (conv_in.bias)", "1 unexpected (conv_in.offset)", "mid_block.resnets.0.conv1.bias is [4], expected [128]"})
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace negativa
