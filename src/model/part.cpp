#include "model/part.h"

#include "base/names.h"

namespace negativa {

namespace {

struct NamedPart {
  Part part;
  const char* name;
  const char* in_files;
  bool refiner;
};

constexpr NamedPart named_parts[] = {
    {Part::refiner_text_encoder, "refiner/text_encoder", names::text_encoder, true},
    {Part::refiner_text_encoder_2, "refiner/text_encoder_2", names::text_encoder_2, true},
    {Part::refiner_unet, "refiner/unet", names::unet, true},
    {Part::text_encoder, names::text_encoder, names::text_encoder, false},
    {Part::text_encoder_2, names::text_encoder_2, names::text_encoder_2, false},
    {Part::unet, names::unet, names::unet, false},
    {Part::vae, names::vae, names::vae, false},
};

const NamedPart& entry_of(Part part) { return named_parts[static_cast<size_t>(part)]; }

}  // namespace

const char* part_name(Part part) { return entry_of(part).name; }

std::optional<Part> part_from_name(std::string_view name) {
  for (const auto& entry : named_parts)
    if (entry.name == name) return entry.part;
  return {};
}

bool is_of_refiner(Part part) { return entry_of(part).refiner; }

bool is_text_encoder(Part part) {
  const std::string_view name = part_in_files(part);
  return name == names::text_encoder || name == names::text_encoder_2;
}

const char* part_in_files(Part part) { return entry_of(part).in_files; }

}  // namespace negativa
