// A broken adapter file is one line that names the layer and what is wrong with it, whether or not keys may be left out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <random>

#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();

Tensor ones(const Shape& shape) { return at::ones(shape); }

struct Broken {
  const char* name;
  const char* layer;  // the file's keys are its name and these
  Tensors pieces;
  const char* message;
};

constexpr const char* linear = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k";  // 64 x 160, no bias
constexpr const char* conv = "down_blocks.1.resnets.0.conv1";                                 // 64 x 32 x 3 x 3
constexpr const char* norm = "down_blocks.1.resnets.0.norm2";                                 // 64

Tensors with(Tensors pieces, const char* name, Tensor tensor) {
  pieces[name] = std::move(tensor);
  return pieces;
}

Tensors without(Tensors pieces, const char* name) {
  EXPECT_EQ(pieces.erase(name), 1u);
  return pieces;
}

Tensors lora() { return {{"lora_down.weight", ones({2, 160})}, {"lora_up.weight", ones({64, 2})}}; }
Tensors locon() { return {{"lora_down.weight", ones({2, 32, 3, 3})}, {"lora_up.weight", ones({64, 2, 1, 1})}}; }
Tensors tucker() {
  return {{"lora_down.weight", ones({2, 32, 1, 1})},
          {"lora_up.weight", ones({64, 2, 1, 1})},
          {"lora_mid.weight", ones({2, 2, 3, 3})}};
}
Tensors loha() {
  return {
      {"hada_w1_a", ones({64, 2})}, {"hada_w1_b", ones({2, 160})}, {"hada_w2_a", ones({64, 2})}, {"hada_w2_b", ones({2, 160})}};
}
Tensors loha_tucker() {
  return {{"hada_w1_a", ones({2, 64})}, {"hada_w1_b", ones({2, 32})}, {"hada_t1", ones({2, 2, 3, 3})},
          {"hada_w2_a", ones({2, 64})}, {"hada_w2_b", ones({2, 32})}, {"hada_t2", ones({2, 2, 3, 3})}};
}
Tensors lokr() { return {{"lokr_w1", ones({8, 10})}, {"lokr_w2_a", ones({8, 2})}, {"lokr_w2_b", ones({2, 16})}}; }
Tensors lokr_tucker() {
  return {{"lokr_w1", ones({8, 4})}, {"lokr_w2_a", ones({2, 8})}, {"lokr_w2_b", ones({2, 8})}, {"lokr_t2", ones({2, 2, 3, 3})}};
}
Tensors ia3() { return {{"weight", ones({64})}, {"on_input", at::scalar_tensor(0, at::kLong)}}; }
Tensors glora() {
  return {
      {"a1.weight", ones({160, 2})}, {"a2.weight", ones({2, 160})}, {"b1.weight", ones({64, 2})}, {"b2.weight", ones({2, 160})}};
}
Tensors dora() { return with(lora(), "dora_scale", ones({64, 1})); }

void expect_refused(const Broken& broken) {
  SCOPED_TRACE(broken.name);
  Tensors tensors;
  for (const auto& [piece, tensor] : broken.pieces) tensors[std::string("unet.") + broken.layer + "." + piece] = tensor;
  for (const bool allow : {false, true}) {
    const auto message = message_of([&] { write_and_read(tensors, {}, allow); });
    EXPECT_NE(message.find(broken.layer), std::string::npos) << message;
    EXPECT_NE(message.find(broken.message), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

// Files that are broken at random: names exchanged, axes dropped, added, emptied and resized, other number formats, tensors lost.
class Breaker {
 public:
  explicit Breaker(uint64_t seed) : random_(seed) {}

  Tensors broken(const std::string& stem, const Tensors& pieces) {
    Tensors tensors;
    for (const auto& [piece, tensor] : pieces) {
      if (one_in(12)) continue;
      tensors[stem + (one_in(8) ? any_piece() : piece)] = one_in(3) ? changed(tensor) : tensor;
      if (one_in(12)) tensors[stem + any_piece()] = changed(tensor);
    }
    return tensors;
  }
  size_t below(size_t end) { return random_() % end; }

 private:
  bool one_in(size_t n) { return below(n) == 0; }
  std::string any_piece() {
    static const char* const names[] = {"lora_down.weight",
                                        "lora_up.weight",
                                        "lora_mid.weight",
                                        "lora_A.weight",
                                        "hada_w1_a",
                                        "hada_w1_b",
                                        "hada_w2_a",
                                        "hada_w2_b",
                                        "hada_t1",
                                        "hada_t2",
                                        "lokr_w1",
                                        "lokr_w1_a",
                                        "lokr_w1_b",
                                        "lokr_w2",
                                        "lokr_w2_a",
                                        "lokr_w2_b",
                                        "lokr_t2",
                                        "weight",
                                        "on_input",
                                        "a1.weight",
                                        "a2.weight",
                                        "b1.weight",
                                        "b2.weight",
                                        "bm.weight",
                                        "diff",
                                        "diff_b",
                                        "w_norm",
                                        "b_norm",
                                        "dora_scale",
                                        "lora_magnitude_vector",
                                        "alpha",
                                        "scalar"};
    return names[below(std::size(names))];
  }
  Tensor changed(const Tensor& tensor) {
    Shape shape = tensor.sizes().vec();
    const size_t axis = shape.empty() ? 0 : below(shape.size());
    const size_t how = below(7);
    if (how == 0 || shape.empty())
      shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), 1);
    else if (how == 1)
      shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
    else if (how == 2)
      shape[axis] = 0;
    else if (how == 3)
      shape[axis] = 1;
    else if (how == 4)
      shape[axis] += 1;
    else if (how == 5)
      std::reverse(shape.begin(), shape.end());
    static constexpr DType dtypes[] = {at::kFloat, at::kFloat, at::kHalf, at::kLong, at::kBool};
    const float values[] = {1, 0, nan, infinity, 1e30f};
    return at::full(shape, values[below(5)], at::kDouble).nan_to_num(2).to(dtypes[below(5)]);
  }

  std::mt19937_64 random_;
};

}  // namespace

TEST(AdapterFaults, OfFilesBrokenAtRandomAreErrorsOfOneLineOrAdaptersThatCompute) {
  const std::pair<const char*, Tensors> whole[] = {{linear, lora()},
                                                   {conv, locon()},
                                                   {conv, tucker()},
                                                   {linear, loha()},
                                                   {conv, loha_tucker()},
                                                   {linear, lokr()},
                                                   {conv, lokr_tucker()},
                                                   {linear, ia3()},
                                                   {linear, glora()},
                                                   {linear, dora()},
                                                   {norm, {{"w_norm", ones({64})}}}};
  const ScratchFolder folder;
  const char* given = std::getenv("CHECK_FILES");
  const size_t files = given ? std::strtoul(given, nullptr, 10) : 150;
  size_t opened = 0;
  for (size_t i = 0; i < files; ++i) {
    Breaker breaker(i);
    const auto& [layer, pieces] = whole[breaker.below(std::size(whole))];
    write_safetensors(folder / "lora.safetensors", breaker.broken(fmt::format("unet.{}.", layer), pieces), {});
    try {
      const auto lora = read_lora(folder / "lora.safetensors", model_targets(), i % 2 == 0);
      for (const auto& [component, changes] : lora.changes)
        for (const auto& [name, change] : changes) {
          change->of_weight(ones(change->target.weight_shape()));
          change->of_bias(ones({change->target.out_features}));
        }
      ++opened;
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << i << ": " << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "file " << i << ": " << error.what();
    }
  }
  EXPECT_GT(opened, files / 20);
  EXPECT_LT(opened, files * 19 / 20);
}

TEST(AdapterFaults, OfLorasOfConvolutions) {
  for (const auto& broken : std::vector<Broken>{
           {"down of another kernel", conv, with(locon(), "lora_down.weight", ones({2, 32, 1, 1})), "expected [rank, 32, 3, 3]"},
           {"down of other inputs", conv, with(locon(), "lora_down.weight", ones({2, 16, 3, 3})), "expected [rank, 32, 3, 3]"},
           {"up of other outputs", conv, with(locon(), "lora_up.weight", ones({32, 2, 1, 1})), "expected [64, 2]"},
           {"two ranks", conv, with(locon(), "lora_up.weight", ones({64, 3, 1, 1})), "rank 2, up has rank 3"},
           {"no numbers", conv, with(locon(), "lora_up.weight", ones({64, 0})), "up is [64, 0]"},
           {"a number for a matrix", conv, with(locon(), "lora_down.weight", ones({})), "down is []"},
           {"a vector for a matrix", linear, with(lora(), "lora_down.weight", ones({160})), "down is [160]"},
           {"mid of another kernel", conv, with(tucker(), "lora_mid.weight", ones({2, 2, 1, 1})), "expected [2, 2, 3, 3]"},
           {"mid of another rank", conv, with(tucker(), "lora_mid.weight", ones({2, 3, 3, 3})), "expected [2, 2, 3, 3]"},
           {"mid without down", conv, without(tucker(), "lora_down.weight"), "no down matrix"},
           {"mid of a linear layer", linear, with(lora(), "lora_mid.weight", ones({2, 2})), "lora_mid is for convolutions"},
           {"mid and a whole down", conv, with(locon(), "lora_mid.weight", ones({2, 2, 3, 3})), "expected [rank, 32, 1, 1]"},
           {"NaN in mid", conv, with(tucker(), "lora_mid.weight", at::full({2, 2, 3, 3}, nan)), "NaN or infinity"},
           {"of a norm", norm, lora(), "is a norm, which a LoRA cannot change"}})
    expect_refused(broken);
}

TEST(AdapterFaults, OfLoHas) {
  for (const auto& broken : std::vector<Broken>{
           {"a half", linear, without(loha(), "hada_w2_b"), "hada_w2_b is missing"},
           {"other outputs", linear, with(loha(), "hada_w1_a", ones({32, 2})), "expected [64, rank]"},
           {"other inputs", linear, with(loha(), "hada_w2_b", ones({2, 64})), "expected [2, 160]"},
           {"two ranks", linear, with(loha(), "hada_w1_b", ones({3, 160})), "expected [2, 160]"},
           {"rank 0", linear, with(loha(), "hada_w1_a", ones({64, 0})), "expected [64, rank]"},
           {"one core", conv, without(loha_tucker(), "hada_t2"), "one of hada_t1 and hada_t2"},
           {"a core of a linear layer", linear, with(with(loha(), "hada_t1", ones({2, 2})), "hada_t2", ones({2, 2})),
            "hada_t1 is for convolutions"},
           {"a core of another kernel", conv, with(loha_tucker(), "hada_t1", ones({2, 2, 1, 1})), "expected [2, 2, 3, 3]"},
           {"a core with factors of none", conv, with(loha_tucker(), "hada_w1_a", ones({64, 2})), "expected [rank, 64]"},
           {"of a norm", norm, loha(), "is a norm, which a LoHa cannot change"}})
    expect_refused(broken);
}

TEST(AdapterFaults, OfLoKrs) {
  for (const auto& broken : std::vector<Broken>{
           {"no first half", linear, without(lokr(), "lokr_w1"), "neither lokr_w1 and lokr_w1_a"},
           {"a half twice", linear, with(lokr(), "lokr_w2", ones({8, 16})), "both lokr_w2 and lokr_w2_a"},
           {"half a half", linear, without(lokr(), "lokr_w2_b"), "one of lokr_w2_a and lokr_w2_b"},
           {"a product of another size", linear, with(lokr(), "lokr_w1", ones({8, 8})),
            "the product is [64, 128], expected [64, 160]"},
           {"two ranks", linear, with(lokr(), "lokr_w2_a", ones({8, 3})), "expected [3, columns]"},
           {"no kernel", conv, {{"lokr_w1", ones({8, 4})}, {"lokr_w2", ones({8, 8})}}, "a matrix for this layer's kernel"},
           {"a core without factors", conv, without(lokr_tucker(), "lokr_w2_b"), "lokr_t2, which needs"},
           {"a core of another kernel", conv, with(lokr_tucker(), "lokr_t2", ones({2, 2, 1, 1})), "expected [2, 2, 3, 3]"},
           {"a core of rank 0", conv, with(lokr_tucker(), "lokr_w2_a", ones({0, 8})), "expected [rank, rows]"},
           {"a number for a matrix", linear, with(lokr(), "lokr_w1", ones({})), "lokr_w1 is []"},
           {"of a norm", norm, lokr(), "is a norm, which a LoKr cannot change"}})
    expect_refused(broken);
}

TEST(AdapterFaults, OfIa3AndGLora) {
  const Tensor inputs = at::scalar_tensor(1, at::kLong);
  for (const auto& broken : std::vector<Broken>{
           {"(IA)3 without factors", linear, without(ia3(), "weight"), "on_input but no weight"},
           {"(IA)3 of two axes", linear, with(ia3(), "on_input", ones({2})), "on_input is [2], expected one number"},
           {"(IA)3 of another size", linear, with(ia3(), "weight", ones({63})), "expected [64] or [160]"},
           {"(IA)3 of the other axis", linear, with(ia3(), "on_input", inputs), "64 factors of its inputs, expected 160"},
           {"(IA)3 of NaN", linear, with(ia3(), "weight", at::full({64}, nan)), "NaN or infinity"},
           {"(IA)3 of a norm", norm, ia3(), "is a norm, which (IA)3 cannot change"},
           {"three quarters of a GLoRA", linear, without(glora(), "b1.weight"), "b1.weight is missing"},
           {"GLoRA of other inputs", linear, with(glora(), "a1.weight", ones({64, 2})), "expected [160, 2]"},
           {"GLoRA of two ranks", linear, with(glora(), "b2.weight", ones({3, 160})), "expected [2, 160]"},
           {"GLoRA of rank 0", linear, with(glora(), "a2.weight", ones({0, 160})), "expected [rank, 160]"},
           {"GLoRA with another core", linear, with(glora(), "bm.weight", ones({2, 2, 3, 3})), "expected [2, 2, 1, 1]"},
           {"GLoRA of a norm", norm, glora(), "is a norm, which a GLoRA cannot change"}})
    expect_refused(broken);
}

TEST(AdapterFaults, OfDifferencesAndMagnitudes) {
  for (const auto& broken : std::vector<Broken>{
           {"a difference of another size", linear, {{"diff", ones({64, 64})}}, "the difference is [64, 64], expected [64, 160]"},
           {"of a norm of another width", norm, {{"w_norm", ones({32})}}, "expected [64]"},
           {"of a bias of another width", conv, {{"diff_b", ones({32})}}, "the bias's difference is [32], expected [64]"},
           {"of a bias that is not there", linear, {{"diff_b", ones({64})}}, "difference of its bias, but no bias"},
           {"of infinite numbers", conv, {{"diff_b", at::full({64}, infinity)}}, "NaN or infinity"},
           {"a bias of NaN beside a LoRA", conv, with(locon(), "diff_b", at::full({64}, nan)), "NaN or infinity"},
           {"a magnitude of another size", linear, with(lora(), "dora_scale", ones({63, 1})),
            "dora_scale is [63, 1], expected 64 numbers"},
           {"a row of outputs", linear, with(lora(), "dora_scale", ones({1, 63})), "expected 64 numbers"},
           {"peft's of inputs", linear, with(lora(), "lora_magnitude_vector", ones({160})),
            "magnitude is [160], expected 64 numbers"},
           {"two magnitudes", linear, with(dora(), "lora_magnitude_vector", ones({64})), "two magnitudes"},
           {"a magnitude of NaN", linear, with(lora(), "dora_scale", at::full({64, 1}, nan)), "NaN or infinity"},
           {"a GLoRA's magnitude", linear, with(glora(), "dora_scale", ones({64, 1})), "is a GLoRA with a DoRA's magnitude"}})
    expect_refused(broken);
}

TEST(AdapterFaults, OfKindsAndNumbers) {
  const Tensor whole = at::ones({64, 2}, at::kInt);
  for (const auto& broken : std::vector<Broken>{
           {"two kinds", linear, with(lora(), "hada_w1_a", ones({64, 2})), "both a LoRA and a LoHa"},
           {"a LoRA and a difference", linear, with(lora(), "diff", ones({64, 160})), "both a LoRA and a difference"},
           {"two alphas", linear, with(loha(), "alpha", ones({2})), "alpha is [2], expected one number"},
           {"two scalars", linear, with(lokr(), "scalar", ones({2})), "scalar is [2], expected one number"},
           {"an infinite scalar", linear, with(lora(), "scalar", at::scalar_tensor(infinity)), "NaN or infinity"},
           {"an infinite alpha", linear, with(glora(), "alpha", at::scalar_tensor(infinity)), "NaN or infinity"},
           {"whole numbers", linear, with(loha(), "hada_w1_a", whole), "floating-point"},
           {"whole magnitudes", linear, with(lora(), "dora_scale", at::ones({64, 1}, at::kLong)), "floating-point"}})
    expect_refused(broken);
}

}  // namespace negativa
