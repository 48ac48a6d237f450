#include "lora/notices.h"

#include <algorithm>

#include "base/names.h"
#include "io/safetensors_header.h"

namespace negativa {

std::vector<std::string> lines_of_skipped(const LoraFile& lora, const std::string& name) {
  std::vector<std::string> lines;
  for (const auto& key : lora.coverage.unmatched)
    lines.push_back(fmt::format("{}: {} fits no layer and is skipped", name, printable_name(key)));
  if (const auto& twice = lora.coverage.superseded; !twice.empty())
    lines.push_back(fmt::format("{}: {} {} in it under SGM's name and under diffusers', of which diffusers' counts: {}{}", name,
                                twice.size(), twice.size() == 1 ? "layer is" : "layers are", twice.front(),
                                twice.size() == 1 ? "" : fmt::format(" and {} more", twice.size() - 1)));
  if (!lora.coverage.remark.empty()) lines.push_back(fmt::format("{} {}", name, lora.coverage.remark));
  return lines;
}

std::vector<std::string> lines_of_left_out(const LoraFile& lora, const std::string& name) {
  const auto& off = lora.coverage.off;
  if (off.empty()) return {};
  return {fmt::format("{}: {} {} switched off (alpha 0) and left out: {} {}{}", name, off.size(),
                      off.size() == 1 ? "layer is" : "layers are", off.front().component, off.front().module,
                      off.size() == 1 ? "" : fmt::format(" and {} more", off.size() - 1))};
}

std::vector<std::string> lines_of_changed_meaning(const LoraFile& lora, const std::string& name) {
  std::vector<std::string> lines;
  if (!lora.coverage.off.empty())
    lines.push_back(
        fmt::format("{} has layers of alpha 0: they are off, but earlier versions took 0 as the rank, so a picture of "
                    "theirs is not made again",
                    name));
  const auto unet = lora.modules.find(names::unet);
  const bool on_time =
      unet != lora.modules.end() && std::any_of(unet->second.begin(), unet->second.end(), [](const auto& module) {
        return module.first.starts_with("time_embedding.") || module.first.starts_with("add_embedding.") ||
               module.first.ends_with(".time_emb_proj");
      });
  if (on_time)
    lines.push_back(
        fmt::format("{} has layers of the time embedding, which earlier versions did not apply, so a picture of theirs "
                    "is not made again",
                    name));
  return lines;
}

std::vector<std::string> lines_of_no_effect(const ActiveLora& lora, const std::string& name, const PictureReads& reads) {
  const auto why = why_without_effect(lora, reads);
  if (why.empty()) return {};
  return {fmt::format("{} has no effect: {}", name, why)};
}

}  // namespace negativa
