// A random LoRA against the matrices that it never forms.
#include "lora/random_lora.h"

#include <gtest/gtest.h>

#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

Tensor dense(const LoraModule& module) { return at::mm(module.up.to(at::kDouble), module.down.to(at::kDouble)) * module.scale(); }

Tensor left_vectors(const LoraModule& module) {
  return std::get<0>(at::linalg_svd(dense(module), false)).slice(1, 0, module.rank());
}

LoraFile source() {
  LoraFile file;
  file.modules = small_lora();
  return file;
}

template <class Look>
void for_each(const Modules& modules, const Look& look) {
  for (const auto& [component, layers] : modules)
    for (const auto& [name, module] : layers) look(component, name, module);
}

}  // namespace

TEST(RandomLora, HasTheSingularValuesOfItsSourceInEachLayer) {
  const Modules modules = random_lora(source(), 5);
  size_t layers = 0;
  for_each(small_lora(), [&](const auto& component, const auto& name, const LoraModule& module) {
    const LoraModule& random = modules.at(component).at(name);
    const Tensor expected = at::linalg_svdvals(dense(module)).slice(0, 0, module.rank());
    const Tensor values = at::linalg_svdvals(dense(random));
    const double largest = expected[0].item<double>();
    ASSERT_GT(largest, 1);
    EXPECT_LT((values.slice(0, 0, module.rank()) - expected).abs().max().item<double>(), 1e-5 * largest) << name;
    EXPECT_LT(values[module.rank()].item<double>(), 1e-5 * largest) << name;
    EXPECT_LT((singular_values(module) - expected).abs().max().item<double>(), 1e-9 * largest) << name;
    EXPECT_EQ(random.rank(), module.rank());
    EXPECT_EQ(random.alpha, static_cast<double>(module.rank()));
    ++layers;
  });
  EXPECT_EQ(layers, 6u);
}

// Of two random subspaces of 3 dimensions in 64 or more the squared cosines sum to 3 * 3 / 64 on average; of the same to 3.
TEST(RandomLora, HasOtherSingularVectorsInEachLayerAndForEachSeed) {
  const Modules first = random_lora(source(), 5), second = random_lora(source(), 6);
  const auto shared = [](const LoraModule& a, const LoraModule& b) {
    return left_vectors(a).t().matmul(left_vectors(b)).square().sum().item<double>();
  };
  for_each(small_lora(), [&](const auto& component, const auto& name, const LoraModule& module) {
    const LoraModule &one = first.at(component).at(name), &other = second.at(component).at(name);
    EXPECT_NEAR(shared(one, one), 3, 1e-6);
    EXPECT_LT(shared(one, module), 1) << name;
    EXPECT_LT(shared(one, other), 1) << name;
  });
}

TEST(RandomLora, DrawsALayerWhateverOthersThereAre) {
  LoraFile few = source();
  few.modules.erase("unet");
  const Modules all = random_lora(source(), 5), some = random_lora(few, 5);
  for_each(some, [&](const auto& component, const auto& name, const LoraModule& module) {
    EXPECT_TRUE(at::equal(module.up, all.at(component).at(name).up) && at::equal(module.down, all.at(component).at(name).down));
  });
  EXPECT_EQ(some.size(), 2u);
}

// Averaged over seeds the entries of an orthonormal frame are of mean 0 and variance 1 / rows: signs are not fixed by QR.
TEST(RandomLora, IsUniformOverFrames) {
  LoraFile file;
  file.modules["unet"]["layer"] = {at::eye(2, 8), at::eye(8, 2), 2};
  const int seeds = 400;
  Tensor sum = at::zeros({8, 2}), squares = at::zeros({8, 2});
  for (int seed = 0; seed < seeds; ++seed) {
    const Tensor up = random_lora(file, static_cast<uint64_t>(seed)).at("unet").at("layer").up;
    sum += up;
    squares += up.square();
  }
  EXPECT_LT((sum / seeds).abs().max().item<double>(), 4 * std::sqrt(1.0 / 8 / seeds));
  EXPECT_LT((squares / seeds - 1.0 / 8).abs().max().item<double>(), 0.04);
}

}  // namespace negativa
