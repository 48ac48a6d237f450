#pragma once
// What all makers of cells do alike. Included by make_*.cpp alone.
#include <chrono>

#include "experiment/makers.h"

namespace negativa {

// The record of a cell that is about to be made, with its recipe, the files from outside, and the cells that it is made of. Reads
// each of those by its hash. Throws as RunStore::checked_record does.
CellRecord begun_record(const MakerRun& run, size_t cell);

// A cell as the record of one that is made of it names it. Reads it by its hash. Throws as RunStore::checked_record does.
RecipeInput input_of(const MakerRun& run, size_t cell);

// Seconds since it was made, or since the last call.
class Lap {
 public:
  double seconds() {
    const auto now = std::chrono::steady_clock::now();
    const double passed = std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
    return passed;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// A LoRA that `write` leaves at the path it is given becomes the cell's file.
void adopt_written(const MakerRun& run, size_t cell, CellRecord record,
                   const std::function<void(const std::filesystem::path&)>& write);

}  // namespace negativa
