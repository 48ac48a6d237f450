// Times guided steps of a model's UNet at 512x512: `negativa_bench_unet MODEL THREADS [LORA]...`. Each line on stdin runs one
// step and prints its seconds, so that tools/bench.py can take turns with another program. A line that is not empty counts which
// LoRA the step has, from 1 on.
#include <chrono>
#include <iostream>

#include "core/generator.h"
#include "isa.h"
#include "lora/attach.h"
#include "model/lora_targets.h"
#include "unet/unet.h"

int main(int argc, char** argv) {
  using namespace negativa;
  if (argc < 3) return std::cerr << "usage: negativa_bench_unet MODEL THREADS [LORA]...\n", 2;
  bind_isa();
  set_threads(std::stoi(argv[2]));
  const c10::InferenceMode inference;
  const ModelFiles files = open_model(argv[1]);
  UNet unet(UNetConfig::from_json(files.config_json("unet"), "unet"));
  nn::LoadOptions options;
  options.storage = at::kFloat;
  options.pack_small = true;
  unet.load(files.weights("unet"), options);

  std::vector<nn::Adapters> adapters(1);
  const LoraTargets targets = lora_targets(files);
  for (int i = 3; i < argc; ++i)
    adapters.push_back(unet_adapters({{std::make_shared<LoraFile>(read_lora(argv[i], targets)), 1, LoraBranch::both}}));

  constexpr int64_t latent_side = 64, pooled_width = 1280;
  Generator generator(0);
  const UNetCondition condition{generator.randn({2, 77, unet.config.cross_attention_dim()}), generator.randn({2, pooled_width}),
                                at::full({2, unet.config.num_time_ids(pooled_width)}, 512.0f)};
  const Tensor sample = generator.randn({2, unet.config.in_channels, latent_side, latent_side});
  std::vector<PreparedCondition> prepared;
  for (const auto& lora : adapters) prepared.push_back(unet.prepare(condition, lora));
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    const size_t which = line.empty() ? 0 : std::stoul(line);
    unet.forward(sample, 500.0, prepared.at(which), adapters.at(which));
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << std::endl;
  }
}
