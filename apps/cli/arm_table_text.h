#pragma once
// The table of arms as the terminal and a program read it.
#include <string>

#include "report/analysis.h"

namespace negativa::cli {

std::string text_of(const TableOfArms& table);
std::string json_of(const TableOfArms& table);

}  // namespace negativa::cli
