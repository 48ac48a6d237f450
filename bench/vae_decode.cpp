// Times decoding of a picture of 512x512 in fp32: `negativa_bench_decode VAE THREADS`, VAE a file or folder. Each line on stdin
// decodes once, not in tiles, and prints the seconds, so that tools/bench.py can take turns with another program.
#include <chrono>
#include <iostream>

#include "core/generator.h"
#include "io/model_files.h"
#include "isa.h"
#include "vae/vae.h"

int main(int argc, char** argv) {
  using namespace negativa;
  if (argc != 3) return std::cerr << "usage: negativa_bench_decode VAE THREADS\n", 2;
  bind_isa();
  set_threads(std::stoi(argv[2]));
  const c10::InferenceMode inference;
  const VaeFiles files = open_vae(argv[1]);
  Vae vae(VaeConfig::from_json(files.config_json, files.config_name));
  nn::LoadOptions options;
  options.storage = at::kFloat;
  options.pack_small = true;
  vae.load(files.weights, options);
  const int64_t side = 512 / vae.config.factor();
  const Tensor latents = vae.scale(Generator(0).randn({1, vae.config.latent_channels, side, side}));
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto begin = std::chrono::steady_clock::now();
    vae.decode(latents, {});
    std::cout << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() << std::endl;
  }
}
