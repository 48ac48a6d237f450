#pragma once
// What clients of the webui's API call things: samplers with their schedule, checkpoints by title, LoRAs as tags in a prompt.
#include <optional>
#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "inventory.h"
#include "schedule/webui_names.h"

namespace negativa::studio {

// A file of the inventory under the name that this API lists it by: its plain name, or ROOT/NAME where another has that.
struct SdItem {
  std::string name;
  InventoryItem file;
};
std::vector<SdItem> sd_items(const Inventory& inventory, const std::string& kind);

struct Sought {
  std::string noun, where;  // "LoRA", "prompt in request": for messages
};
// What a client means by that name: as listed, with a weights file's ending or " [hash]" behind it, or ROOT/NAME. Throws
// ErrorKind::input, in a line that begins with [where] and has the nearest name, and for a file that cannot be used.
const SdItem& sd_item(const std::vector<SdItem>& items, const std::string& name, const Sought& sought);

// "DPM++ 2M Karras", "Euler a", "k_euler", "dpmpp_2m"; scheduler: "Karras", "karras", "Automatic" (the model's), "". Case does
// not matter. Throws ErrorKind::input for names that are none, with the nearest, and for two schedules.
SamplerChoice sd_sampler(const std::string& sampler, const std::string& scheduler);

Json sd_sampler_list();    // as GET samplers shows them
Json sd_scheduler_list();  // as GET schedulers

// Takes <lora:…> out of a prompt (lora/lora_tags.h) and returns what `generate --lora` takes, each with `branch` (":negative" or
// nothing) behind it. Throws ErrorKind::input for names that are not listed and for weights that are none.
std::vector<std::string> take_lora_tags(std::string& prompt, const std::vector<SdItem>& loras, const std::string& branch);

// Names of these items that stand in the text as words, whatever their case.
std::vector<SdItem> named_in(const std::string& text, const std::vector<SdItem>& items);

}  // namespace negativa::studio
