#include "io/keys/open_clip.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/keys/unet_layout.h"

namespace negativa {

int open_clip_layers(std::vector<std::string> open_clip_names) {
  std::sort(open_clip_names.begin(), open_clip_names.end());
  int layers = 0;
  while (has_module(open_clip_names, fmt::format("transformer.resblocks.{}", layers))) ++layers;
  return layers;
}

KeyPairs open_clip_pairs(int layers) {
  KeyPairs pairs = {
      {"text_model.embeddings.token_embedding", "token_embedding"},
      {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
      {"text_model.final_layer_norm", "ln_final"},
      {.ours = "text_projection.weight", .theirs = "text_projection", .transpose = true},
  };
  static constexpr const char* inside[][2] = {{"layer_norm1", "ln_1"},
                                              {"layer_norm2", "ln_2"},
                                              {"mlp.fc1", "mlp.c_fc"},
                                              {"mlp.fc2", "mlp.c_proj"},
                                              {"self_attn.out_proj", "attn.out_proj"}};
  static constexpr const char* fused[] = {"q_proj", "k_proj", "v_proj"};  // the order of in_proj's thirds
  for (int n = 0; n < layers; ++n) {
    const auto ours = fmt::format("text_model.encoder.layers.{}.", n), theirs = fmt::format("transformer.resblocks.{}.", n);
    for (const auto& [our_child, their_child] : inside) pairs.push_back({ours + our_child, theirs + their_child});
    for (int third = 0; third < 3; ++third)
      for (const char* kind : {"weight", "bias"})
        pairs.push_back({.ours = fmt::format("{}self_attn.{}.{}", ours, fused[third], kind),
                         .theirs = fmt::format("{}attn.in_proj_{}", theirs, kind),
                         .third = third});
  }
  return pairs;
}

}  // namespace negativa
