#pragma once
// The named tensors in what a pickle holds, as whoever reads a state_dict expects them.
#include "io/pickle_value.h"
#include "io/tensor_file.h"

namespace negativa {

struct NamedTensor {
  std::string name;
  std::shared_ptr<const PickleTensor> tensor;  // null: `number` is the value, a tensor without dimensions
  double number = 0;
};

struct PickledTensors {
  std::vector<NamedTensor> tensors;   // in the order of the dicts
  Metadata metadata;                  // texts and numbers beside them
  std::vector<std::string> left_out;  // keys beside the chosen dict that hold tensors too
};

// The dict taken is "state_dict" of the outermost one, else its "model" where that holds tensors, else the outermost itself. Keys
// of dicts within dicts, and places in lists, are joined by dots: {"a": {"b": t}} is a.b, {"a": [t]} is a.0. A number under a key
// with a dot, as LoRAs keep alpha, counts as a tensor; other numbers and texts of that dict and of the outermost one are
// metadata. A sole tensor is called "tensor". Throws ErrorKind::file_format: no tensors, a name twice, a tensor under a key that
// is no name, more than 32 levels.
PickledTensors name_tensors(const PickleValues& values, PickleId root);

}  // namespace negativa
