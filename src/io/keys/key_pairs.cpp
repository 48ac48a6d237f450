#include "io/keys/key_pairs.h"

#include <algorithm>

namespace negativa {

namespace {
const std::string& side(const KeyPair& pair, KeyMap::Direction direction) {
  return direction == KeyMap::to_ours ? pair.theirs : pair.ours;
}
}  // namespace

KeyMap::KeyMap(const KeyPairs& pairs, Direction direction) : pairs_(pairs), direction_(direction) {
  std::stable_sort(pairs_.begin(), pairs_.end(),
                   [&](const KeyPair& a, const KeyPair& b) { return side(a, direction) < side(b, direction); });
}

std::vector<KeyPair> KeyMap::find(const std::string& name) const {
  for (auto length = name.size();; length = name.rfind('.', length - 1)) {
    if (length == std::string::npos) return {};
    const std::string_view module(name.data(), length);
    auto at = std::lower_bound(pairs_.begin(), pairs_.end(), module,
                               [&](const KeyPair& pair, std::string_view key) { return side(pair, direction_) < key; });
    std::vector<KeyPair> result;
    for (; at != pairs_.end() && side(*at, direction_) == module; ++at) {
      result.push_back(*at);
      result.back().ours += name.substr(length);
      result.back().theirs += name.substr(length);
    }
    if (!result.empty() || length == 0) return result;
  }
}

}  // namespace negativa
