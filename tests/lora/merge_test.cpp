// Merging, against the matrices it never forms.
#include "lora/merge.h"

#include <gtest/gtest.h>

#include "lora/merge_weights.h"
#include "nn/layers.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

std::shared_ptr<const LoraFile> lora_of(Modules modules) {
  auto lora = std::make_shared<LoraFile>();
  lora->modules = std::move(modules);
  return lora;
}

// Random modules of another rank and alpha, on all but one layer of small_lora and on one more.
Modules other_lora() {
  Generator generator(9);
  Modules modules = small_lora();
  auto& unet = modules.at("unet");
  unet.erase(unet.begin());
  for (auto& [component, layers] : modules)
    for (auto& [name, module] : layers)
      module = {generator.randn({5, module.down.size(1)}), generator.randn({module.up.size(0), 5}), 2.5};
  unet["mid_block.attentions.0.proj_in"] = {generator.randn({2, 128}), generator.randn({128, 2}), 1};
  modules.erase("text_encoder");
  return modules;
}

Tensor dense(const LoraModule& module, double weight = 1) {
  return at::mm(module.up.to(at::kDouble), module.down.to(at::kDouble)) * (weight * module.scale());
}

// The sum of what the LoRAs add to a layer, fp64; undefined where none has it.
Tensor dense_sum(const std::vector<WeightedLora>& loras, const std::string& component, const std::string& name) {
  Tensor sum;
  for (const auto& [file, weight] : loras) {
    const auto modules = file->modules.find(component);
    if (modules == file->modules.end() || !modules->second.contains(name)) continue;
    const Tensor part = dense(modules->second.at(name), weight.of(component));
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

double relative(const Tensor& got, const Tensor& expected) { return ((got - expected).norm() / expected.norm()).item<double>(); }

std::vector<WeightedLora> two() { return {{lora_of(small_lora()), 0.8}, {lora_of(other_lora()), -1.3}}; }

}  // namespace

TEST(MergeConcat, IsTheExactSumWhereverALoraHasTheLayer) {
  const auto loras = two();
  const auto merged = merge_loras(loras, MergeMethod::concat);
  size_t layers = 0;
  for (const auto& [component, modules] : merged.modules)
    for (const auto& [name, module] : modules) {
      EXPECT_LT(relative(dense(module), dense_sum(loras, component, name)), 1e-6) << name;
      EXPECT_EQ(module.alpha, static_cast<double>(module.rank()));
      ++layers;
    }
  EXPECT_EQ(layers, 7u);  // six of the first, one only of the second
  EXPECT_EQ(merged.layers.size(), 7u);
  const auto& unet = merged.modules.at("unet");
  EXPECT_EQ(unet.at("mid_block.attentions.0.transformer_blocks.1.attn2.to_k").rank(), 8);
  EXPECT_EQ(unet.at("mid_block.attentions.0.proj_in").rank(), 2);
}

TEST(MergeConcat, OfALoraAndItsInverseIsNothing) {
  const auto lora = lora_of(small_lora());
  for (const auto method : {MergeMethod::concat, MergeMethod::svd}) {
    const auto merged = merge_loras({{lora, 1}, {lora, -1}}, method);
    for (const auto& [component, modules] : merged.modules)
      for (const auto& [name, module] : modules)
        EXPECT_LT(delta(module).norm().item<double>(), 1e-6 * delta_norm(lora->modules.at(component).at(name))) << name;
    for (const auto& layer : merged.layers) {
      EXPECT_NEAR(layer.cosines.at(0).value, -1, 1e-12);
      EXPECT_NEAR(layer.kept_energy(), 0, 1e-12);
      EXPECT_EQ(layer.error, 0);
    }
  }
}

TEST(MergeConcat, OrderChangesOnlyRounding) {
  auto loras = two();
  const auto one_way = merge_loras(loras, MergeMethod::concat);
  std::swap(loras[0], loras[1]);
  const auto other_way = merge_loras(loras, MergeMethod::concat);
  for (const auto& [component, modules] : one_way.modules)
    for (const auto& [name, module] : modules)
      EXPECT_LT(relative(dense(other_way.modules.at(component).at(name)), dense(module)), 1e-6) << name;
}

TEST(MergeSvd, OfEnoughRankIsTheExactSum) {
  const auto loras = two();
  const auto merged = merge_loras(loras, MergeMethod::svd, 8);
  for (const auto& [component, modules] : merged.modules)
    for (const auto& [name, module] : modules)
      EXPECT_LT(relative(dense(module), dense_sum(loras, component, name)), 1e-6) << name;
  for (const auto& layer : merged.layers) EXPECT_LT(layer.error, 1e-6) << layer.module;
}

TEST(MergeSvd, IsTheBestMatrixOfItsRank) {
  const auto loras = two();
  const auto merged = merge_loras(loras, MergeMethod::svd, 2);
  for (const auto& layer : merged.layers) {
    const auto& module = merged.modules.at(layer.component).at(layer.module);
    const Tensor sum = dense_sum(loras, layer.component, layer.module);
    const auto values = std::get<1>(at::linalg_svd(sum, false));
    const double best = (values.narrow(0, 2, values.size(0) - 2).norm() / values.norm()).item<double>();  // Eckart and Young
    EXPECT_EQ(module.rank(), 2);
    EXPECT_NEAR(relative(dense(module), sum), best, 1e-6) << layer.module;
    EXPECT_NEAR(layer.best_error, best, 1e-9) << layer.module;
    EXPECT_NEAR(layer.error, best, 1e-6) << layer.module;
  }
}

TEST(MergeSvd, WithoutARankKeepsTheLargestThatALoraHas) {
  const auto merged = merge_loras(two(), MergeMethod::svd);
  const auto& unet = merged.modules.at("unet");
  EXPECT_EQ(unet.at("mid_block.attentions.0.transformer_blocks.1.attn2.to_k").rank(), 5);
  EXPECT_EQ(unet.at("mid_block.attentions.0.proj_in").rank(), 2);
  EXPECT_EQ(merged.modules.at("text_encoder").begin()->second.rank(), 3);
}

TEST(MergeReport, MeasuresWhatTheMatricesDo) {
  const auto loras = two();
  for (const auto& layer : merge_loras(loras, MergeMethod::concat).layers) {
    const Tensor sum = dense_sum(loras, layer.component, layer.module);
    EXPECT_NEAR(layer.norm, sum.norm().item<double>(), 1e-9 * layer.norm);
    if (layer.cosines.empty()) {
      EXPECT_NEAR(layer.kept_energy(), 1, 1e-12);
      continue;
    }
    const Tensor first = dense(loras[0].file->modules.at(layer.component).at(layer.module), 0.8),
                 second = dense(loras[1].file->modules.at(layer.component).at(layer.module), -1.3);
    const double parts = (first.pow(2).sum() + second.pow(2).sum()).item<double>();
    EXPECT_NEAR(layer.cosines[0].value, ((first * second).sum() / first.norm() / second.norm()).item<double>(), 1e-9);
    EXPECT_NEAR(layer.kept_energy(), sum.pow(2).sum().item<double>() / parts, 1e-9);
  }
}

TEST(MergeReport, ALoraOfWeightZeroIsAsIfItWereNotThere) {
  auto loras = two();
  loras[1].weight = 0;
  const auto merged = merge_loras(loras, MergeMethod::concat);
  EXPECT_EQ(merged.layers.size(), 6u);
  loras[0].weight = 0;
  EXPECT_NE(message_of([&] { merge_loras(loras, MergeMethod::concat); }).find("every weight is 0"), std::string::npos);
}

TEST(DeltaDistance, IsThatOfTheMatrices) {
  const auto modules = small_lora(), others = other_lora();
  const std::string name = "mid_block.attentions.0.transformer_blocks.1.attn2.to_k";
  const auto &a = modules.at("unet").at(name), &b = others.at("unet").at(name);
  EXPECT_EQ(delta_distance(a, a), 0);
  EXPECT_NEAR(delta_distance(a, b), relative(dense(a), dense(b)), 1e-9);
  LoraModule scaled = a;
  scaled.up = a.up * 2;
  scaled.alpha = a.alpha / 2;
  EXPECT_LT(delta_distance(scaled, a), 1e-12);
}

}  // namespace negativa
