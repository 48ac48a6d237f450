#pragma once
// What `negativa tokens` prints.
#include <string>

#include "text/tokens_report.h"

namespace negativa::cli {

// A table: position, id, weight, piece; the pads of a row in one line.
std::string text_of(const TokensReport& report);
// {"tokenizer": {"ids": [[77]], "weights": [[77]], "pieces": [[77]]}, "tokenizer_2": {…}, "cut": "…"} and a line end.
std::string json_of(const TokensReport& report);

}  // namespace negativa::cli
