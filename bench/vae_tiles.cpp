// What decoding a large picture in tiles takes: `negativa_bench_vae VAE LATENTS OUT TILE` decodes "latents" [1,4,h,w] of the
// safetensors file LATENTS, not scaled, with the VAE of a file or folder in fp32, in squares of TILE latents, writes "decoded" to
// OUT and prints JSON: seconds, peak_memory_bytes.
#include <chrono>
#include <iostream>

#include "base/recipe.h"
#include "io/model_files.h"
#include "vae/vae.h"

int main(int argc, char** argv) {
  using namespace negativa;
  if (argc != 5) return std::cerr << "usage: negativa_bench_vae VAE LATENTS OUT TILE\n", 2;
  set_threads(hardware_threads());
  const c10::InferenceMode inference;
  const VaeFiles files = open_vae(argv[1]);
  Vae vae(VaeConfig::from_json(files.config_json, files.config_name));
  nn::LoadOptions options;
  options.storage = at::kFloat;
  vae.load(files.weights, options);
  const Tensor latents = vae.scale(SafetensorsFile::open(argv[2])->load("latents", at::kFloat));
  const auto begin = std::chrono::steady_clock::now();
  const Tensor decoded = vae.decode(latents, {std::stol(argv[4])});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  write_safetensors(argv[3], {{"decoded", decoded.contiguous()}}, {});
  std::cout << fmt::format("{{\"seconds\": {:.1f}, \"peak_memory_bytes\": {}}}\n", seconds, peak_memory_bytes());
}
