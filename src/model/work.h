#pragma once
// What passes through the networks cost, counted layer by layer from their configs; needs no weights.
#include "text/clip_text_model.h"
#include "unet/config.h"
#include "vae/vae.h"

namespace negativa {

struct Work {
  double flop = 0;                   // two a multiply-accumulate
  int64_t most_elements = 0;         // the most tensor elements (not bytes) that lie in memory at once, besides weights
  int64_t transformed_elements = 0;  // of these, what large convolutions share for their transformed weights (nn/cpu_kernels.h)
};

struct UNetPass {
  int64_t rows = 2, height = 0, width = 0;  // of the latents
  int64_t tokens = 77;                      // of the prompt
};
Work unet_work(const UNetConfig& config, const UNetPass& pass);
// UNet::prepare of a picture: keys and values of the prompt. Their elements are in unet_work's.
double unet_prepare_flop(const UNetConfig& config, const UNetPass& pass);

Work vae_decode_work(const VaeConfig& config, int64_t height, int64_t width);  // of the latents
double text_flop(const CLIPTextConfig& config);                                // one text

}  // namespace negativa
