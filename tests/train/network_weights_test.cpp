#include "train/network_weights.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/temporary_folder.h"
#include "golden_file.h"
#include "lora/lora_writer.h"
#include "model/lora_targets.h"

namespace negativa {
namespace {

struct NetworkWeights : testing::Test {
  static inline const ModelFiles files = open_model(test::bundled_model());
  static inline const LoraTargets targets = lora_targets(files);
  TemporaryFolder folder;

  static TrainLoraOptions options(bool dora, const char* which = "attention+ff+conv") {
    TrainLoraOptions options;
    options.rank = 2;
    options.alpha = 3;
    options.targets = which;
    options.conv_rank = 1;
    options.dora = dora;
    return resolved(options);
  }
  // A file of random numbers for these parameters, read again.
  LoraFile file(LoraDialect dialect, LoraParameters& parameters) const {
    Generator generator(1);
    parameters.flat().copy_(generator.randn({parameters.flat().numel()}));
    write_lora(folder / "given.safetensors", parameters.trained().lora, {dialect, targets.layout, {}});
    return read_lora(folder / "given.safetensors", targets);
  }
};

TEST_F(NetworkWeights, TheNumbersOfAFileAreTheFirstOnesOfItsTraining) {
  for (const auto& [dora, dialect] :
       {std::pair{false, LoraDialect::kohya}, {true, LoraDialect::kohya}, {true, LoraDialect::diffusers}}) {
    TrainLoraOptions of_file = options(dora);
    of_file.text_encoders = true;
    LoraParameters written(modules_to_train(targets, of_file), at::kFloat);
    const LoraFile lora = file(dialect, written);
    LoraParameters read(modules_of_file(lora, targets), at::kFloat);
    read.load(lora);
    EXPECT_TRUE(at::equal(read.flat(), written.flat()));
    ASSERT_EQ(read.modules().size(), written.modules().size());
    for (size_t i = 0; i < read.modules().size(); ++i) {
      const auto &got = read.modules()[i], &expected = written.modules()[i];
      EXPECT_EQ(got.name(), expected.name());
      EXPECT_DOUBLE_EQ(got.alpha, expected.alpha) << got.name();
      EXPECT_EQ(got.rank, got.is_wide_convolution() ? 1 : 2) << got.name();
      EXPECT_EQ(got.has_magnitude, dora) << got.name();
    }
  }
}

TEST_F(NetworkWeights, WhatContradictsTheFileIsRefusedAndWhatAgreesIsLeftToIt) {
  LoraParameters parameters(modules_to_train(targets, options(false)), at::kFloat);
  const LoraFile lora = file(LoraDialect::kohya, parameters);
  const auto agreed = [&](const TrainLoraOptions& asked) { return agreed_with_file(asked, lora, targets, parameters.modules()); };
  TrainLoraOptions same = options(false);
  EXPECT_FALSE(agreed(same).rank || agreed(same).alpha || agreed(same).targets || agreed(same).conv_rank ||
               agreed(same).conv_alpha);
  EXPECT_FALSE(agreed({}).text_encoders);
  const std::vector<std::pair<std::function<void(TrainLoraOptions&)>, std::string>> contradictions{
      {[](auto& o) { o.rank = 8; }, "[--rank] got 8, but given.safetensors has 2"},
      {[](auto& o) { o.alpha = 2; }, "[--alpha] got 2, but given.safetensors has 3"},
      {[](auto& o) { o.conv_rank = 2; }, "[--conv-rank] got 2, but given.safetensors has 1"},
      {[](auto& o) { o.conv_alpha = 2; }, "[--conv-alpha] got 2, but given.safetensors has 1"},
      {[](auto& o) { o.targets = "attention+ff"; }, "[--targets] got attention+ff, but given.safetensors adapts unet.conv_in"},
      {[](auto& o) { o.dora = true; }, "[--dora] given.safetensors has a plain LoRA"},
      {[](auto& o) { o.text_encoders = true; }, "[--text-encoders] given.safetensors adapts no text encoder"},
  };
  for (const auto& [change, expected] : contradictions) {
    TrainLoraOptions asked;
    change(asked);
    const auto message = error_of(ErrorKind::input, [&] { agreed(asked); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
}

TEST_F(NetworkWeights, KindsThatCannotBeTrainedAreRefusedByName) {
  const auto& target = targets.components.at("unet").front();
  for (const auto& candidate : targets.components.at("unet"))
    if (candidate.name.ends_with("attentions.0.transformer_blocks.0.attn1.to_q")) {
      std::string stem = "lora_unet_" + candidate.name;
      std::replace(stem.begin(), stem.end(), '.', '_');
      std::map<std::string, Tensor> loha;
      for (const char* piece : {"hada_w1", "hada_w2"}) {
        loha[stem + "." + piece + "_a"] = at::ones({candidate.out_features, 2});
        loha[stem + "." + piece + "_b"] = at::ones({2, candidate.in_features});
      }
      write_safetensors(folder / "loha.safetensors", loha);
      const LoraFile lora = read_lora(folder / "loha.safetensors", targets);
      const auto message = error_of(ErrorKind::input, [&] { modules_of_file(lora, targets); });
      EXPECT_NE(message.find(candidate.name + " has a LoHa, which cannot be trained"), std::string::npos) << message;
      return;
    }
  FAIL() << "no such layer beside " << target.name;
}

TEST_F(NetworkWeights, ANewDoraChangesNothing) {
  LoraParameters parameters(modules_to_train(targets, options(true)), at::kFloat);
  const auto weights = files.weights("unet");
  const auto weight_of = [&](const TrainedModule& module) { return weights.at(module.name() + ".weight").load(at::kFloat); };
  parameters.initialise(1);
  parameters.initialise_magnitudes(weight_of);
  const Trained trained = parameters.trained();
  for (const auto& module : parameters.modules()) {
    const Tensor weight = weight_of(module);
    const Tensor change = trained.lora.changes.at("unet").at(module.name())->of_weight(weight);
    EXPECT_LT(change.norm().item<double>(), 1e-6 * weight.norm().item<double>()) << module.name();
  }
}

}  // namespace
}  // namespace negativa
