#pragma once
// Content addresses: what decides a cell's bytes, and nothing else.
#include "runs/run_plan.h"

namespace negativa {

// Raised by hand when the output of a stage may change for the same address: old cells are then made again.
int stage_format(CellStage stage);

struct AddressParts {
  CellStage stage = CellStage::picture;
  std::string recipe_json = "{}";   // canonical JSON of the stage's part of the recipe, without the program's version
  std::vector<std::string> inputs;  // of a cell its address, of a file from outside its SHA-256, in an order that means something
};
// SHA-256, 64 hexadecimal digits, of stage name, format number, recipe and inputs, as canonical JSON. Throws
// ErrorKind::file_format for JSON that is none, ErrorKind::input for an input that is no hash.
std::string cell_address(const AddressParts& parts);

bool is_sha256(std::string_view text);  // 64 lower-case hexadecimal digits

inline constexpr size_t short_address = 8;  // digits in file names
// Lower-case ASCII letters and digits of a text, '-' for what stands between them, at most `longest` bytes (at least 1). Letters
// of other scripts are dropped; "x" where nothing is left. Not unique by itself.
std::string slug(std::string_view text, size_t longest = 40);

}  // namespace negativa
