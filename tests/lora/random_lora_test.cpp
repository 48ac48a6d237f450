// Random LoRAs, against the singular values of whole matrices.
#include "lora/random_lora.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/temporary_folder.h"
#include "lora/lora_writer.h"
#include "lora/merge.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

LoraFile file_of(Modules modules) {
  LoraFile file;
  file.modules = std::move(modules);
  return file;
}

Tensor dense(const LoraModule& module) { return at::mm(module.up.to(at::kDouble), module.down.to(at::kDouble)) * module.scale(); }

// The largest difference of any layer's singular values, relative to its largest.
double worst_difference(const Modules& got, const Modules& expected) {
  double worst = 0;
  for (const auto& [component, layers] : expected)
    for (const auto& [name, module] : layers) {
      const Tensor values = at::linalg_svdvals(dense(module));
      const Tensor error = (at::linalg_svdvals(dense(got.at(component).at(name))) - values).abs().max() / values.max();
      worst = std::max(worst, error.item<double>());
    }
  return worst;
}

bool same_bits(const Modules& a, const Modules& b) {
  for (const auto& [component, layers] : a)
    for (const auto& [name, module] : layers) {
      const LoraModule& other = b.at(component).at(name);
      if (!at::equal(module.up, other.up) || !at::equal(module.down, other.down) || module.alpha != other.alpha) return false;
    }
  return true;
}

Tensors stored_as(const Tensors& tensors, DType dtype) {
  Tensors stored;
  for (const auto& [name, tensor] : tensors) stored[name] = tensor.to(dtype);
  return stored;
}

}  // namespace

TEST(RandomLora, HasTheSingularValuesOfEveryLayerOfItsSource) {
  const Modules source = small_lora();
  const Modules random = random_lora(file_of(source), 3);
  EXPECT_LT(worst_difference(random, source), 1e-5);
  for (const auto& [component, layers] : random)
    for (const auto& [name, module] : layers) {
      const LoraModule& of = source.at(component).at(name);
      EXPECT_EQ(module.down.sizes(), of.down.sizes());
      EXPECT_EQ(module.up.sizes(), of.up.sizes());
      EXPECT_EQ(module.down.scalar_type(), at::kFloat);
      EXPECT_EQ(module.scale(), 1);
    }
}

TEST(RandomLora, PointsSomewhereElse) {
  const Modules source = small_lora(), first = random_lora(file_of(source), 3), second = random_lora(file_of(source), 4);
  const auto cosine = [](const LoraModule& a, const LoraModule& b) {
    return delta_inner(a, b) / std::sqrt(delta_inner(a, a) * delta_inner(b, b));
  };
  for (const auto& [component, layers] : source)
    for (const auto& [name, module] : layers) {
      // The cosine of two random [out,in] matrices of rank 3 deviates by about 1 / sqrt(in * out): here at most 0.02.
      EXPECT_LT(std::abs(cosine(first.at(component).at(name), module)), 0.1) << name;
      EXPECT_LT(std::abs(cosine(first.at(component).at(name), second.at(component).at(name))), 0.1) << name;
    }
}

TEST(RandomLora, IsTheSameForTheSameSeedAndAnotherForAnother) {
  const LoraFile source = file_of(small_lora());
  EXPECT_TRUE(same_bits(random_lora(source, 3), random_lora(source, 3)));
  EXPECT_FALSE(same_bits(random_lora(source, 3), random_lora(source, 4)));
}

TEST(RandomLora, DrawsEveryLayerApartFromTheOthers) {
  Modules fewer = small_lora();
  fewer.at("unet").erase(fewer.at("unet").begin());
  const Modules all = random_lora(file_of(small_lora()), 3);
  EXPECT_TRUE(same_bits(random_lora(file_of(fewer), 3), all));
  Modules twins = small_lora();  // two layers of one shape with the same factors
  auto& text = twins.at("text_encoder");
  text.rbegin()->second = text.begin()->second;
  const Modules random = random_lora(file_of(twins), 3);
  EXPECT_FALSE(at::equal(random.at("text_encoder").begin()->second.up, random.at("text_encoder").rbegin()->second.up));
}

TEST(RandomLora, HasTheSingularValuesOfFilesOfEveryNumberFormat) {
  const TemporaryFolder folder;
  for (const DType dtype : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble}) {
    const LoraFile source = write_and_read(stored_as(tensors_of(small_lora(), LoraDialect::kohya), dtype));
    const Modules random = random_lora(source, 3);
    write_lora(folder / "random.safetensors", file_of(random), {LoraDialect::diffusers, model_targets().layout, {}});
    EXPECT_LT(worst_difference(read_lora(folder / "random.safetensors", model_targets()).modules, source.modules), 1e-5)
        << "of " << dtype << ", as written";
  }
}

TEST(RandomLora, KeepsARankThatIsMoreThanTheLayerHas) {
  Generator generator(1);
  Modules source;
  source["unet"]["a"] = {generator.randn({8, 5}), generator.randn({6, 8}), 3};
  source["unet"]["b"] = {generator.randn({2, 5}), at::zeros({6, 2}), 3};
  const Modules random = random_lora(file_of(source), 3);
  EXPECT_EQ(random.at("unet").at("a").rank(), 5);
  EXPECT_LT((at::linalg_svdvals(dense(random.at("unet").at("a"))) - at::linalg_svdvals(dense(source.at("unet").at("a"))))
                .abs()
                .max()
                .item<double>(),
            1e-4);
  EXPECT_TRUE(at::equal(dense(random.at("unet").at("b")), at::zeros({6, 5}, at::kDouble))) << "of nothing nothing comes";
}

TEST(RandomLora, IsUniformOverDirections) {
  Generator generator(1);
  Modules source;
  source["unet"]["a"] = {generator.randn({1, 3}), generator.randn({3, 1}), 1};
  Tensor mean = at::zeros({3}, at::kDouble), second = at::zeros({3, 3}, at::kDouble);
  constexpr int draws = 2000;
  for (uint64_t seed = 0; seed < draws; ++seed) {
    const Tensor up = random_lora(file_of(source), seed).at("unet").at("a").up.to(at::kDouble).flatten();
    const Tensor direction = up / up.norm();
    mean += direction / draws;
    second += at::outer(direction, direction) / draws;
  }
  // Four standard deviations: sqrt(1/3 / 2000) of the mean, sqrt(4/45 / 2000) of the squares.
  EXPECT_LT(mean.abs().max().item<double>(), 0.052);
  EXPECT_LT((second - at::eye(3, at::kDouble) / 3).abs().max().item<double>(), 0.027);
}

}  // namespace negativa
