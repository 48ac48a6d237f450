#pragma once
// A foreign naming as a list of pairs, made by enumeration; both directions read the same list.
#include <optional>
#include <string>
#include <vector>

namespace negativa {

// One module (whatever follows the name is the same on both sides) or one whole key, and what is done to the tensor on the way to
// us.
struct KeyPair {
  std::string ours, theirs;
  int third = -1;          // ours is this third (0, 1, 2) of the rows of theirs: OpenCLIP's fused in_proj
  bool transpose = false;  // OpenCLIP's text_projection
  bool squeeze = false;    // theirs is a 1x1 convolution [o,i,1,1] where ours is linear [o,i]
};
using KeyPairs = std::vector<KeyPair>;

// Finds names in one direction. A name matches a pair when it equals it or lies inside it; the longest match wins.
class KeyMap {
 public:
  enum Direction { to_ours, to_theirs };
  KeyMap(const KeyPairs& pairs, Direction direction);
  // What `name` is called on the other side (several for a fused tensor, none if unknown): the pairs with both names completed.
  std::vector<KeyPair> find(const std::string& name) const;

 private:
  KeyPairs pairs_;  // sorted by the side that is looked up
  Direction direction_;
};

}  // namespace negativa
