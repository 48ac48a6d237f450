#pragma once
// Models of SDXL's structure at any width, with random weights: emoji-xl with another UNet.
#include "base/json.h"
#include "base/temporary_folder.h"
#include "golden_file.h"
#include "unet/unet.h"

namespace negativa::test {

// The UNet's blocks have width, 2 width and 4 width channels (SDXL: 320), as deep as SDXL's. Stored in fp16.
inline void write_model_of_width(const std::filesystem::path& folder, int64_t width) {
  namespace fs = std::filesystem;
  fs::create_directories(folder / "unet");
  for (const auto& entry : fs::directory_iterator(bundled_model()))
    if (entry.path().filename() != "unet") fs::create_symlink(entry.path(), folder / entry.path().filename());
  Json json = read_json_file(bundled_model() / "unet/config.json");
  json.update({{"block_out_channels", {width, 2 * width, 4 * width}},
               {"transformer_layers_per_block", {1, 2, 10}},
               {"attention_head_dim", {1, 2, 4}},
               {"norm_num_groups", 8}});
  write_atomically(folder / "unet/config.json", json.dump());
  UNet unet(UNetConfig::from_json(json.dump(), "unet"));  // without weights
  std::map<std::string, Tensor> tensors;
  const Tensor pattern = (at::arange(1 << 16, at::kFloat) * 0.7548f).frac() - 0.5f;  // cheap, without mean, and no two rows alike
  for (const auto& slot : nn::walk(unet).slots) {
    const int64_t count = c10::multiply_integers(slot.shape), inputs = std::max<int64_t>(count / slot.shape.front(), 1);
    const bool is_matrix = slot.shape.size() > 1, is_scale = !is_matrix && slot.name.ends_with(".weight");
    const Tensor values = pattern.repeat({count / pattern.numel() + 1}).narrow(0, 0, count).view(slot.shape);
    tensors[slot.name] =
        (values * (is_matrix ? 2 / std::sqrt(static_cast<double>(inputs)) : 0.02) + (is_scale ? 1 : 0)).to(at::kHalf);
  }
  write_safetensors(folder / "unet/diffusion_pytorch_model.safetensors", tensors);
}

}  // namespace negativa::test
