#include "lora/effect.h"

#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace {

bool is_zero(const LoraModule& module) {
  return module.up.count_nonzero().item<int64_t>() == 0 || module.down.count_nonzero().item<int64_t>() == 0;
}

// Whether what is attached to that component reaches the picture.
bool is_computed(const std::string& component, LoraBranch branch, const PictureReads& reads) {
  if (branch != LoraBranch::negative) return true;
  return reads.negative && (component == names::unet || reads.negative_text);
}

std::string counted(int count, const char* what) {
  return count == 1 ? fmt::format("1 layer {}", what) : fmt::format("{} layers {}", count, what);
}

}  // namespace

std::string why_without_effect(const ActiveLora& lora, const PictureReads& reads) {
  if (lora.weight == 0) return "its weight is 0";
  if (!reads.base) return "the refiner draws every step, and LoRAs act on the base";
  if (lora.branch == LoraBranch::negative && !reads.negative) return "it acts on the negative branch, " + reads.why_no_negative;
  int unread = 0, zero = 0, not_encoded = 0;
  for (const auto& [component, modules] : lora.file->modules)
    for (const auto& [name, module] : modules) {
      if (!module.is_read)
        ++unread;
      else if (!is_computed(component, lora.branch, reads))
        ++not_encoded;
      else if (!is_zero(module))
        return {};
      else
        ++zero;
    }
  std::vector<std::string> reasons;
  if (const int off = static_cast<int>(lora.file->coverage.off.size()))
    reasons.push_back(counted(off, "switched off by alpha 0"));
  if (unread) reasons.push_back(counted(unread, "that no picture reads (the last of text_encoder)"));
  if (not_encoded) reasons.push_back(counted(not_encoded, "for a negative prompt, of which there is none; try -n \"\""));
  if (zero) reasons.push_back(counted(zero, "of zeros"));
  return "it has " + joined(reasons, ", ");
}

}  // namespace negativa
