// LoRAs as torch.save wrote them: the same layers as in the safetensors file of the same tensors.
#include <gtest/gtest.h>

#include <filesystem>

#include "io/safetensors.h"
#include "small_lora.h"

namespace negativa {

using namespace test;

namespace {

namespace fs = std::filesystem;

fs::path pickled() { return golden("pickles/lora_2023.bin"); }
fs::path plain() { return golden("lora_diffusers_2023.safetensors"); }

void expect_same(const LoraFile& got, const LoraFile& expected) {
  EXPECT_EQ(got.dialect, expected.dialect);
  EXPECT_EQ(got.coverage.matched, expected.coverage.matched);
  expect_same_deltas(got.modules, expected.modules);
}

}  // namespace

TEST(PickledLora, HoldsTheLayersOfTheSameTensorsInASafetensorsFile) {
  expect_same(read_lora(pickled(), model_targets()), read_lora(plain(), model_targets()));
}

TEST(PickledLora, IsFoundInAFolderUnderTheNameThatDiffusersGaveIt) {
  const ScratchFolder folder;
  fs::copy_file(pickled(), folder / "pytorch_lora_weights.bin");
  expect_same(read_lora(folder / "", model_targets()), read_lora(plain(), model_targets()));
}

TEST(PickledLora, TakesAlphaFromTheConfigBesidePeftsPickle) {
  const ScratchFolder folder;
  const auto from = golden("lora_peft");
  fs::copy_file(from / "adapter_config.json", folder / "adapter_config.json");
  fs::copy_file(golden("pickles/lora_peft.bin"), folder / "adapter_model.bin");
  expect_same(read_lora(folder / "", model_targets()), read_lora(from, model_targets()));
}

}  // namespace negativa
