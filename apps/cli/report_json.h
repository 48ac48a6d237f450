#pragma once
// Results of jobs as JSON: what --json prints and what the studio answers.
#include "base/json_fwd.h"
#include "jobs/compare.h"
#include "jobs/generate.h"
#include "jobs/lora_bake.h"
#include "jobs/lora_convert.h"
#include "jobs/model_convert.h"
#include "train/training_run.h"

namespace negativa::cli {

Json json_of(const GenerateReport& report);
Json json_of(const CompareReport& report);
Json json_of(const TrainReport& report);
Json json_of(const LoraConvertReport& report, bool dry_run);
Json json_of(const LoraBakeReport& report);
Json json_of(const ModelConvertReport& report);

}  // namespace negativa::cli
