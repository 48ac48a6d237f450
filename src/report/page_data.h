#pragma once
// What the page's script reads: arms, prompts and pictures as one JSON text, and which pictures a page to be kept has.
#include "report/analysis.h"
#include "report/page_pictures.h"

namespace negativa {

// Prompts of which a page to be kept shows pictures.
struct Sample {
  std::map<int, std::string> prompts;  // number in the plan, and why it is there: "at random", "most changed"
  uint64_t seed = 0;                   // of the choice; follows from the plan
  size_t random = 0, most_changed = 0;
};

// Half at random and half those that the primary comparison's arm (else the first that has a baseline) changed most, at most
// `most` of the list that the baseline draws; of every other list a quarter of that, at random. The same run gives the same
// prompts.
Sample sample_of(const RunPlan& plan, const RunRecords& records, const Analysis& analysis, size_t most);

// The two arms whose difference tells how much a prompt was changed.
std::pair<int, int> changed_arms(const RunPlan& plan, const Analysis& analysis);

struct PageData {
  std::string json;  // safe within <script>
  std::vector<std::string> notices;
  size_t shown = 0;  // pictures that have a source
};
// `sample`: only its prompts' first pictures of [arms], with their bytes; absent: all, linked.
PageData page_data(const RunStore& store, const RunPlan& plan, const RunRecords& records, const Analysis& analysis,
                   const Sample* sample);

}  // namespace negativa
