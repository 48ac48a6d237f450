#include "other_settings_answer.h"

#include <algorithm>

#include "base/file_names.h"
#include "base/json.h"
#include "engine/other_picture.h"

namespace negativa::studio {

namespace {

class Answer {
 public:
  explicit Answer(const std::vector<InventoryItem>& items) : items_(items) {}

  bool is_here(const char* kind, const std::string& name) const { return find(kind, name) != nullptr; }

  // The file's reference, or a line and nothing.
  std::string reference(const char* kind, const char* noun, const std::string& name, std::vector<std::string>& left_out) const {
    if (name.empty()) return "";
    const InventoryItem* item = find(kind, name);
    if (item && item->fault.empty()) return item->reference;
    left_out.push_back(
        not_honoured_line(noun, name, item ? "it cannot be used: " + item->fault : "there is none of that name here"));
    return "";
  }

 private:
  const InventoryItem* find(const char* kind, const std::string& name) const {
    const auto found = std::find_if(items_.begin(), items_.end(), [&](const InventoryItem& item) {
      return item.kind == kind && (same_name(item.name, name) || same_name(plain_file_name(item.name), name));
    });
    return found == items_.end() ? nullptr : &*found;
  }
  const std::vector<InventoryItem>& items_;
};

}  // namespace

Json settings_of_other(const TextChunks& text, const Inventory& inventory) {
  const auto items = inventory.all();
  const Answer files(items);
  std::optional<OtherPicture> picture;
  std::string why = text.empty() ? "nothing is written in it" : "it has no settings of negativa, the webui, Fooocus or ComfyUI";
  try {
    picture = other_picture(text, [&](const std::string& name) { return files.is_here("lora", name); });
  } catch (const Error& error) {
    why = error.what();
  }
  if (!picture) return {{"program", ""}, {"settings", Json::object()}, {"not_honoured", Json::array({why})}};
  Json settings = parse_json(picture->settings_json, "picture");
  if (settings.contains("seed")) settings["seed"] = settings["seed"].dump();  // a page's numbers end at 2^53
  auto& left_out = picture->not_honoured;
  for (const auto& [key, kind, name] : {std::tuple{"model", "model", picture->model},
                                        std::tuple{"refiner", "model", picture->refiner}, std::tuple{"vae", "vae", picture->vae}})
    if (const auto reference = files.reference(kind, key, name, left_out); !reference.empty()) settings[key] = reference;
  for (const auto& [name, rest] : picture->loras)
    if (const auto reference = files.reference("lora", "LoRA", name, left_out); !reference.empty())
      settings["lora"].push_back(reference + rest);
  for (const auto& name : picture->embeddings)
    if (const auto reference = files.reference("embedding", "embedding", name, left_out); !reference.empty())
      settings["embedding"].push_back(reference + "=" + name);
  return {{"program", picture->program}, {"settings", settings}, {"not_honoured", left_out}};
}

}  // namespace negativa::studio
