#pragma once
// Which pictures a training step takes, as a pure function of seed and step: a run that was interrupted needs no state to go on
// with the same pictures.
#include <cstdint>
#include <string>
#include <vector>

namespace negativa {

struct DataOrder {
  uint64_t seed = 0;
  std::string stream = "instance";  // "class": an order of its own from the same seed
  int64_t examples = 0;
  int64_t rows_per_step = 1;  // of an optimiser step: batch size x accumulated batches
  bool flip = false;          // half of the rows take the mirror image
};

struct RowChoice {
  int64_t example = 0;  // index into Dataset::examples
  bool mirrored = false;
  bool operator==(const RowChoice&) const = default;
};

// The rows of optimiser step `step`, counted from 1. Rows run through epochs without gaps: every epoch is a permutation of its
// own of all examples, and a step may take the end of one and the beginning of the next. Throws ErrorKind::input for
// counts below 1.
std::vector<RowChoice> rows_of_step(const DataOrder& order, int64_t step);

// Epoch, from 0, in which the step's last row lies.
int64_t epoch_of_step(const DataOrder& order, int64_t step);

}  // namespace negativa
