#include "vae/tiles.h"

#include <algorithm>

namespace negativa {

namespace {

int64_t part(int64_t side, double share) { return static_cast<int64_t>(static_cast<double>(side) * share); }

// The first `length` rows (axis 2) or columns (axis 3) of `tile` fade in from the last ones of its neighbour.
void blend(const Tensor& neighbour, const Tensor& tile, int64_t axis, int64_t length) {
  length = std::min({length, neighbour.size(axis), tile.size(axis)});
  if (length == 0) return;
  Shape shape{1, 1, 1, 1};
  shape[static_cast<size_t>(axis)] = length;
  const Tensor share = (at::arange(length, tile.options()) / static_cast<double>(length)).view(shape);
  Tensor first = tile.narrow(axis, 0, length);
  first.mul_(share).add_(neighbour.narrow(axis, neighbour.size(axis) - length, length) * (1 - share));
}

Tensor kept_of(const Tensor& tile, int64_t kept) {
  return tile.narrow(2, 0, std::min(kept, tile.size(2))).narrow(3, 0, std::min(kept, tile.size(3)));
}

}  // namespace

Tiling tiling_of(int64_t tile_px, int64_t factor, std::string_view flag) {
  check(tile_px % factor == 0, ErrorKind::input, "[{}] got {}, expected a multiple of {}", flag, tile_px, factor);
  check(tile_px == 0 || tile_px >= 4 * factor, ErrorKind::input, "[{}] got {}, expected 0 or at least {}", flag, tile_px,
        4 * factor);
  return {tile_px / factor};
}

TileGrid decoding_grid(const Tiling& tiling, int64_t factor) {
  const int64_t out = tiling.side * factor, blended = part(out, tiling.overlap);
  return {tiling.side, part(tiling.side, 1 - tiling.overlap), blended, out - blended};
}

TileGrid encoding_grid(const Tiling& tiling, int64_t factor) {
  const int64_t in = tiling.side * factor, blended = part(tiling.side, tiling.overlap);
  return {in, part(in, 1 - tiling.overlap), blended, tiling.side - blended};
}

Tensor in_tiles(const Tensor& x, const TileGrid& grid, const std::function<Tensor(const Tensor&)>& run,
                const CancelToken* cancel) {
  const int64_t height = x.size(2), width = x.size(3);
  std::vector<Tensor> rows, above;
  for (int64_t top = 0; top < height; top += grid.in_stride) {
    std::vector<Tensor> row, kept;
    for (int64_t left = 0; left < width; left += grid.in_stride) {
      if (cancel) cancel->throw_if_cancelled();
      const Tensor square =
          x.narrow(2, top, std::min(grid.in_side, height - top)).narrow(3, left, std::min(grid.in_side, width - left));
      const Tensor tile = run(square);
      if (top > 0) blend(above[row.size()], tile, 2, grid.blended);
      if (left > 0) blend(row.back(), tile, 3, grid.blended);
      kept.push_back(kept_of(tile, grid.kept));
      row.push_back(tile);
    }
    rows.push_back(at::cat(kept, 3));
    above = std::move(row);
  }
  return at::cat(rows, 2);
}

}  // namespace negativa
