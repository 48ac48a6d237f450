#include "train/memory_plan.h"

#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include "golden_file.h"
#include "train/lora_parameters.h"

namespace negativa {
namespace {

// Bytes of the tensors made in this thread while it is registered, less those freed again.
class LiveBytes : public c10::MemoryReportingInfoBase {
 public:
  int64_t bytes = 0;

  void reportMemoryUsage(void*, int64_t size, size_t, size_t, c10::Device) override { bytes += size; }
  bool memoryProfilingEnabled() const override { return true; }
};

// What a forward pass with adapters on all attention layers leaves in memory for its backward pass.
int64_t kept_bytes(const UNet& unet, const nn::Adapters& adapters, int64_t side) {
  const UNetCondition condition{at::ones({1, 77, unet.config.cross_attention_dim()}), at::ones({1, 96}),
                                at::full({1, unet.config.num_time_ids(96)}, 64.0f)};
  const Tensor sample = at::ones({1, unet.config.in_channels, side, side});
  const auto live = std::make_shared<LiveBytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, live);
  const Tensor noise_pred = unet.forward(sample, 500, unet.prepare(condition, adapters), adapters);
  EXPECT_TRUE(noise_pred.requires_grad());
  return live->bytes;
}

struct Prediction : testing::Test {
  ModelFiles files = open_model(test::bundled_model());
  UNet unet{UNetConfig::from_json(files.config_json("unet"), "unet")};
  LoraTargets targets;

  Prediction() {
    set_threads(1);
    unet.load(files.weights("unet"), {});
    targets.add("unet", nn::walk(unet));
  }
  // Predicted over measured.
  double ratio(int64_t side, const TrainLoraOptions& options, const Adapted& adapted) const {
    LoraParameters parameters(modules_to_train(targets, resolved(options)), at::kFloat);
    parameters.flat().fill_(0.01);
    const auto trained = parameters.adapters(false);
    const KeptElements kept = kept_elements(unet.config, side, adapted);
    const auto predicted =
        static_cast<double>((kept.blocks + kept.key_values + kept.resnets + kept.convolutions) * sizeof(float));
    return predicted / static_cast<double>(kept_bytes(unet, trained.of("unet"), side));
  }
};

TEST_F(Prediction, OfConvolutionsAndDoraCountsWhatTheyKeep) {
  TrainLoraOptions options;
  options.rank = 1;
  options.conv_rank = 8;
  options.targets = "attention+ff+conv";
  ratio(16, options, {true, true, 8});  // as below
  EXPECT_NEAR(ratio(16, options, {true, true, 8}), 1.1, 0.06);
  options.dora = true;
  EXPECT_NEAR(ratio(16, options, {true, true, 8, true}), 1.0, 0.05);
}

TEST_F(Prediction, HoldsForAForwardPassAtOddSidesAsWellAsAtEvenOnes) {
  TrainLoraOptions options;
  options.rank = 1;
  const auto ratio = [&](int64_t side) { return Prediction::ratio(side, options, {}); };
  ratio(16);  // the first pass keeps weights in layouts of the kernels, for all that follow
  const double even = ratio(16);
  EXPECT_NEAR(even, 1.1, 0.05);            // rather too much than too little
  for (const int64_t side : {17, 18, 19})  // halved twice: to 9 and 5, 9 and 5, 10 and 5
    EXPECT_NEAR(ratio(side), even, 0.02) << side;
}

}  // namespace
}  // namespace negativa
