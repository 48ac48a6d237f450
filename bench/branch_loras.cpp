// Two ways to give each branch of guidance weights of its own (Diffusion-NPO, arXiv:2505.11245): `negativa_bench_branches one
// MODEL A B` attaches LoRA A to the positive branch and B to the negative one of a single UNet, batch 2; `negativa_bench_branches
// two POSITIVE NEGATIVE` holds two baked models and runs each on its row. Each line on stdin runs a guided step at the model's
// own size on one thread and prints its seconds.
#include <chrono>
#include <iostream>

#include "core/generator.h"
#include "lora/attach.h"
#include "model/lora_targets.h"
#include "unet/unet.h"

namespace negativa {

namespace {

UNet load_unet(const ModelFiles& files) {
  UNet unet(UNetConfig::from_json(files.config_json("unet"), "unet"));
  nn::LoadOptions options;
  options.storage = at::kFloat;
  options.pack_small = true;
  unet.load(files.weights("unet"), options);
  return unet;
}

struct Step {
  std::vector<UNet> unets;  // one, or positive and negative
  nn::Adapters adapters;
  std::vector<PreparedCondition> conditions;
  Tensor sample;

  void run() const {
    if (unets.size() == 1)
      unets[0].forward(at::cat({sample, sample}), 500.0, conditions[0], adapters);
    else
      for (size_t i = 0; i < unets.size(); ++i) unets[i].forward(sample, 500.0, conditions[i]);
  }
};

Step make_step(const std::vector<std::string>& args) {
  Step step;
  const ModelFiles files = open_model(args[1]);
  step.unets.push_back(load_unet(files));
  const UNetConfig& config = step.unets[0].config;
  const int64_t pooled_width = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim;
  Generator generator(0);
  const auto condition = [&](int64_t rows) {
    return UNetCondition{generator.randn({rows, 77, config.cross_attention_dim()}), generator.randn({rows, pooled_width}),
                         at::full({rows, 6}, 64.0f)};
  };
  step.sample = generator.randn({1, config.in_channels, config.sample_size, config.sample_size});
  if (args[0] == "one") {
    LoraTargets targets = lora_targets(files);
    const auto read = [&](const std::string& path) { return std::make_shared<LoraFile>(read_lora(path, targets)); };
    step.adapters = unet_adapters({{read(args[2]), 1, LoraBranch::positive}, {read(args[3]), 0.6, LoraBranch::negative}});
    step.conditions.push_back(step.unets[0].prepare(condition(2), step.adapters));
  } else {
    step.unets.push_back(load_unet(open_model(args[2])));
    for (const auto& unet : step.unets) step.conditions.push_back(unet.prepare(condition(1)));
  }
  return step;
}

}  // namespace

}  // namespace negativa

int main(int argc, char** argv) {
  using namespace negativa;
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty() || args.size() != (args[0] == "one" ? 4u : 3u))
    return std::cerr << "usage: negativa_bench_branches one MODEL A B | two POSITIVE NEGATIVE\n", 2;
  set_threads(1);
  const c10::InferenceMode inference;
  const Step step = make_step(args);
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    step.run();
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << std::endl;
  }
}
