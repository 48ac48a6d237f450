#pragma once
// A large picture through the VAE in squares, so that memory follows the square and not the picture. Group norms and attention
// see one square at a time, so the result is another than that of the whole. Source: diffusers,
// models/autoencoders/autoencoder_kl.py, tiled_decode and _tiled_encode.
#include <functional>

#include "base/cancel.h"
#include "core/tensor.h"

namespace negativa {

struct Tiling {
  int64_t side = 0;       // of a square, in latents; 0: the whole at once
  double overlap = 0.25;  // of neighbouring squares, as a share of the side

  // Whether a map of that size is cut. Throws nothing.
  bool cuts(int64_t height, int64_t width) const { return side > 0 && (height > side || width > side); }
};

// Squares of that many pixels; 0: the whole. Throws ErrorKind::input for a side that is no multiple of the VAE's factor or under
// four of them. `flag` names the option.
Tiling tiling_of(int64_t tile_px, int64_t factor, std::string_view flag = "--vae-tile");
inline constexpr int64_t usual_tile_px = 512;  // where memory decides; diffusers' tile of SDXL's VAE is 1024

// How a map is cut, in pixels of what goes in and of what comes out.
struct TileGrid {
  int64_t in_side, in_stride;  // squares begin at multiples of the stride
  int64_t blended, kept;       // of a result: how far it is blended into its neighbours above and to the left; what is kept of it
};
TileGrid decoding_grid(const Tiling& tiling, int64_t factor);
TileGrid encoding_grid(const Tiling& tiling, int64_t factor);

// run of every square of x [B,C,H,W], put together with linear blends. Throws ErrorKind::cancelled between two squares.
Tensor in_tiles(const Tensor& x, const TileGrid& grid, const std::function<Tensor(const Tensor&)>& run,
                const CancelToken* cancel);

}  // namespace negativa
