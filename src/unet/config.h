#pragma once
// config.json of a UNet2DConditionModel. Source: diffusers, models/unets/unet_2d_condition.py.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

struct UNetConfig {
  int64_t in_channels = 4, out_channels = 4;
  int64_t sample_size = 128;  // latent side for which the model was trained
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  int64_t addition_time_embed_dim = 256;
  int64_t projection_class_embeddings_input_dim = 2816;  // pooled width + time ids * addition_time_embed_dim

  // Block i on the way down; block n-1-i on the way up has the same channels.
  struct Block {
    int64_t channels, layers, num_attention_heads, cross_attention_dim;
    // Blocks of the transformer behind each resnet, of which there are `layers` on the way down and one more on the way up;
    // empty: no attention.
    std::vector<int64_t> down_depths, up_depths;
  };
  std::vector<Block> blocks;  // in order of the way down
  enum class Middle { none, resnet, attention };
  Middle middle = Middle::attention;  // resnet: one alone (SSD-1B, Segmind-Vega); none: KOALA
  int64_t middle_depth = 1;           // of its transformer

  int64_t time_embed_dim() const { return 4 * blocks.front().channels; }
  int64_t cross_attention_dim() const { return blocks.back().cross_attention_dim; }
  // Entries of add_time_ids that go with a pooled vector of that width: 6 for the base, 5 for the refiner (aesthetic score).
  int64_t num_time_ids(int64_t pooled_width) const {
    return (projection_class_embeddings_input_dim - pooled_width) / addition_time_embed_dim;
  }

  // Throws ErrorKind::input, saying which it is, for a UNet that takes more than latents: one for inpainting, one that edits
  // pictures.
  void check_draws_from_text(std::string_view where) const;

  // Throws ErrorKind::file_format for a UNet of another kind (SD 1.5, video …), naming the entry.
  static UNetConfig from_json(std::string_view text, std::string_view where);
};

}  // namespace negativa
