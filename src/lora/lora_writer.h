#pragma once
// LoRA files in every dialect: keys are those of io/keys, in the first spelling of each.
#include "lora/lora_file.h"

namespace negativa {

struct LoraWrite {
  LoraDialect dialect = LoraDialect::diffusers;
  UNetLayout layout;  // of the UNet the LoRA is for: numbers kohya's blocks
  Metadata metadata;  // what else the header is to say: training_metadata.h, or that of the file the LoRA came from
};

// Writes lora.modules to `out`, whole or not at all; the same modules and metadata give the same bytes everywhere.
//   diffusers  one file; where an alpha is not its rank, `lora_adapter_metadata` says so, since alpha keys are refused there
//   kohya      one file, `.alpha` for every module
//   peft       a name ending in .safetensors: one file with peft's keys, alpha / rank multiplied into `up` where it is not 1;
//   another
//              name: a folder with adapter_model.safetensors and adapter_config.json, which keeps alpha, or, with several
//              components, one such folder for each in it, since a PeftModel is one model
// Matrices are stored in LoraModule::stored. `metadata` is kept but for what follows from the modules (`format`,
// `lora_adapter_metadata`, hashes); what A1111 needs to list the file as SDXL is added where it is missing.
// Throws ErrorKind::input: no modules, a name that does not fit the dialect, NaN; ErrorKind::shape; what write_safetensors
// throws.
void write_lora(const std::filesystem::path& out, const LoraFile& lora, const LoraWrite& how);

// Throws what write_lora would at once for that name, so that a long computation does not end there.
void check_lora_name(const std::filesystem::path& out, LoraDialect dialect);

}  // namespace negativa
