#include "stats/shares.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "stats/distributions.h"
#include "stats/words.h"

namespace negativa {

Interval wilson(size_t hits, size_t pictures, double level) {
  check_between_0_and_1(level, "level");
  check(pictures > 0 && hits <= pictures, ErrorKind::input,
        "[statistics] got {} hits among {}, expected at least 1 picture and at most as many hits", hits,
        count_text(pictures, "picture"));
  return wilson_of_share(static_cast<double>(hits) / static_cast<double>(pictures), pictures, level);
}

Interval wilson_of_share(double share, size_t pictures, double level) {
  check_between_0_and_1(level, "level");
  check(pictures > 0 && share >= 0 && share <= 1, ErrorKind::input,
        "[statistics] got a share of {} of {}, expected 0 to 1 and at least 1 picture", share, count_text(pictures, "picture"));
  const double n = static_cast<double>(pictures), z = normal_quantile((1 + level) / 2);
  const double centre = (share + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(share * (1 - share) / n + z * z / (4 * n * n));
  return {share == 0 ? 0 : centre - half, share == 1 ? 1 : centre + half, level};  // those two are exact, but for rounding
}

Share share_of_pictures(std::span<const Hit> pictures, double level) {
  check_between_0_and_1(level, "level");
  check(!pictures.empty(), ErrorKind::input, "[statistics] got no picture, expected at least one");
  struct Count {
    size_t pictures = 0, hits = 0;
  };
  std::map<std::string_view, Count> prompts;
  Share result{.pictures = pictures.size()};
  for (const auto& picture : pictures) {
    auto& count = prompts[picture.prompt];
    ++count.pictures;
    count.hits += picture.hit;
    result.hits += picture.hit;
  }
  result.prompts = prompts.size();
  if (result.prompts == result.pictures) {
    result.share = static_cast<double>(result.hits) / static_cast<double>(result.pictures);
    result.interval = wilson(result.hits, result.pictures, level);
    return result;
  }
  result.method = ShareMethod::t_over_prompts;
  std::vector<double> shares;
  for (const auto& [prompt, count] : prompts)
    shares.push_back(static_cast<double>(count.hits) / static_cast<double>(count.pictures));
  const Estimate mean = mean_over_prompts(shares, Claim::these_sets, false, level);
  result.share = std::clamp(mean.mean, 0.0, 1.0);
  result.why_absent = mean.why_absent;
  if (mean.inference)
    result.interval = {std::max(0.0, mean.inference->interval.low), std::min(1.0, mean.inference->interval.high), level};
  return result;
}

std::string sentence(const Share& share) {
  const auto percent = [](double part) { return fmt::format("{:.0f} %", part * 100); };
  const std::string basis =
      fmt::format("{} of {}, {}", share.hits, count_text(share.pictures, "picture"),
                  share.method == ShareMethod::wilson ? "one a prompt" : count_text(share.prompts, "prompt"));
  if (!share.interval) return fmt::format("{} ({}); no interval: {}", percent(share.share), basis, share.why_absent);
  return fmt::format("{}, {} from {} to {} ({}, {})", percent(share.share), percent_text(share.interval->level),
                     percent(share.interval->low), percent(share.interval->high), basis,
                     share.method == ShareMethod::wilson ? "Wilson" : "t interval over prompts");
}

}  // namespace negativa
