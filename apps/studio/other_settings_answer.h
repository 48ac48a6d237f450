#pragma once
// What a picture of another program says, with the studio's names for files.
#include "base/json_fwd.h"
#include "image/image.h"
#include "inventory.h"

namespace negativa::studio {

// {"program", "settings": as a request of `generate` has them, the seed as text, "not_honoured": one line each, files that are
// not here among them}. Where there are none, or none for certain, "program" is empty and the one line says why.
Json settings_of_other(const TextChunks& text, const Inventory& inventory);

}  // namespace negativa::studio
