#pragma once
// The random numbers that decide an order or a resample. The standard library's generators give the same numbers everywhere, but
// its distributions and std::shuffle do not.
#include <cstdint>
#include <utility>
#include <vector>

namespace negativa {

// splitmix64: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", figure 17.
class SplitMix {
 public:
  static constexpr uint64_t step = 0x9e3779b97f4a7c15;  // by which the state grows at each number

  explicit SplitMix(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += step;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [0, count), count at least 1: numbers from the last, incomplete round of 2^64 / count are drawn again.
  uint64_t below(uint64_t count) {
    const uint64_t incomplete = (UINT64_MAX % count + 1) % count;
    while (true) {
      const uint64_t drawn = next();
      if (drawn <= UINT64_MAX - incomplete) return drawn % count;
    }
  }

 private:
  uint64_t state_;
};

// Every order is as likely (Fisher and Yates).
template <class T>
void shuffle(std::vector<T>& list, SplitMix& random) {
  for (size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
}

}  // namespace negativa
