#pragma once
// Shares of pictures: how many show the right object, how many are damaged.
#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "stats/estimate.h"

namespace negativa {

// Wilson's score interval of hits among independent pictures, within [0, 1]. Throws ErrorKind::input for none or more hits than
// pictures.
Interval wilson(size_t hits, size_t pictures, double level = 0.95);

// The same of a share that need not be a whole number of pictures, as ties count half.
Interval wilson_of_share(double share, size_t pictures, double level = 0.95);

// One picture and whether it is one of those counted.
struct Hit {
  std::string prompt;
  bool hit = false;
};

enum class ShareMethod { wilson, t_over_prompts };

// Claims these_sets: the share among pictures of prompts like these, every prompt with equal weight. One picture a prompt:
// Wilson. Several: they are alike, so Wilson would be too sure, and the t interval over the prompts' shares is taken, cut off at
// 0 and 1.
struct Share {
  size_t prompts = 0, pictures = 0, hits = 0;
  double share = 0;
  ShareMethod method = ShareMethod::wilson;
  std::optional<Interval> interval = {};
  std::string why_absent = {};
};

// Throws ErrorKind::input for no picture. Safe from several threads.
Share share_of_pictures(std::span<const Hit> pictures, double level = 0.95);

// "75 %, 95 % from 61 % to 85 % (36 of 48 pictures, one a prompt, Wilson)"
std::string sentence(const Share& share);

}  // namespace negativa
