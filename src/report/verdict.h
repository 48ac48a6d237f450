#pragma once
// Sentences of a report that the statistics do not have: the verdict, and short forms for tables.
#include "report/analysis.h"

namespace negativa {

// "-0.050, 95 % from -0.082 to -0.020", or the mean and why there is no interval.
std::string short_text(const Estimate& estimate);
// "LoRAs made this way", "these 3 LoRAs", "this LoRA", "pictures drawn so".
std::string subject_of(const Estimate& estimate);

// One sentence: what the primary comparison says, by how much, how sure, of what it speaks, and what is not whole.
std::string verdict_sentence(const RunPlan& plan, const Analysis& analysis);

}  // namespace negativa
