#pragma once
// The parts of an opened model that have weights.
#include <array>
#include <optional>
#include <string_view>

namespace negativa {

// Sorted by name: records list parts in this order.
enum class Part { refiner_text_encoder, refiner_text_encoder_2, refiner_unet, text_encoder, text_encoder_2, unet, vae };

inline constexpr std::array all_parts = {Part::refiner_text_encoder,
                                         Part::refiner_text_encoder_2,
                                         Part::refiner_unet,
                                         Part::text_encoder,
                                         Part::text_encoder_2,
                                         Part::unet,
                                         Part::vae};

// As --weights-dtype, recipes and errors call it: "unet", "refiner/unet".
const char* part_name(Part part);
std::optional<Part> part_from_name(std::string_view name);

bool is_of_refiner(Part part);
bool is_text_encoder(Part part);
// Its name among the files of its own model (ModelFiles): "unet" for both UNets.
const char* part_in_files(Part part);

}  // namespace negativa
