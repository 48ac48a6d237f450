#include "unet/size_cond.h"

namespace negativa {

Tensor time_ids(const SizeCond& sizes, int64_t count, double aesthetic_score) {
  check(count == 5 || count == 6, ErrorKind::shape, "[unet] wants {} time ids, expected 5 or 6", count);
  std::vector<double> ids{double(sizes.original_size.height), double(sizes.original_size.width),
                          double(sizes.crop_top_left.height), double(sizes.crop_top_left.width)};
  if (count == 5)
    ids.push_back(aesthetic_score);
  else
    ids.insert(ids.end(), {double(sizes.target_size.height), double(sizes.target_size.width)});
  return at::tensor(ids, at::kFloat);
}

}  // namespace negativa
