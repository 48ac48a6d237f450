#include "jobs/lora_notices.h"

#include <algorithm>

#include "base/log.h"
#include "base/names.h"
#include "io/safetensors_header.h"

namespace negativa {

void notice_skipped(const LoraFile& lora, const std::string& name) {
  for (const auto& key : lora.coverage.unmatched) notice("{}: {} fits no layer and is skipped", name, printable_name(key));
  if (!lora.coverage.remark.empty()) notice("{} {}", name, lora.coverage.remark);
}

void notice_left_out(const LoraFile& lora, const std::string& name) {
  const auto& off = lora.coverage.off;
  if (off.empty()) return;
  notice("{}: {} {} switched off (alpha 0) and left out: {} {}{}", name, off.size(), off.size() == 1 ? "layer is" : "layers are",
         off.front().component, off.front().module, off.size() == 1 ? "" : fmt::format(" and {} more", off.size() - 1));
}

void notice_changed_meaning(const LoraFile& lora, const std::string& name) {
  if (!lora.coverage.off.empty())
    notice(
        "{} has layers of alpha 0: they are off, but earlier versions took 0 as the rank, so a picture of theirs is not made "
        "again",
        name);
  const auto unet = lora.modules.find(names::unet);
  if (unet == lora.modules.end()) return;
  const bool on_time = std::any_of(unet->second.begin(), unet->second.end(), [](const auto& module) {
    return module.first.starts_with("time_embedding.") || module.first.starts_with("add_embedding.") ||
           module.first.ends_with(".time_emb_proj");
  });
  if (on_time)
    notice("{} has layers of the time embedding, which earlier versions did not apply, so a picture of theirs is not made again",
           name);
}

void notice_without_effect(const ActiveLora& lora, const std::string& name, const PictureReads& reads) {
  if (const auto why = why_without_effect(lora, reads); !why.empty()) notice("{} has no effect: {}", name, why);
}

}  // namespace negativa
