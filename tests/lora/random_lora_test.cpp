// A random LoRA against the matrices that it never forms.
#include "lora/random_lora.h"

#include <gtest/gtest.h>

#include "base/temporary_folder.h"
#include "lora/lora_writer.h"
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

// The largest difference of any layer's singular values, relative to its largest.
double worst_difference(const Modules& got, const Modules& expected) {
  double worst = 0;
  for_each(expected, [&](const auto& component, const auto& name, const LoraModule& module) {
    const Tensor values = at::linalg_svdvals(dense(module));
    const Tensor error = (at::linalg_svdvals(dense(got.at(component).at(name))) - values).abs().max() / values.max();
    worst = std::max(worst, error.template item<double>());
  });
  return worst;
}

LoraFile file_of(Modules modules) {
  LoraFile file;
  file.modules = std::move(modules);
  return file;
}

Tensors stored_as(const Tensors& tensors, DType dtype) {
  Tensors stored;
  for (const auto& [name, tensor] : tensors) stored[name] = tensor.to(dtype);
  return stored;
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

TEST(RandomLora, DrawsTwoLayersOfOneShapeApart) {
  Modules twins = small_lora();
  auto& text = twins.at("text_encoder");
  text.rbegin()->second = text.begin()->second;
  const Modules random = random_lora(file_of(twins), 3);
  EXPECT_FALSE(at::equal(random.at("text_encoder").begin()->second.up, random.at("text_encoder").rbegin()->second.up));
}

}  // namespace negativa
