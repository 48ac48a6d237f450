#pragma once
// What clients of the webui's API set for all their requests.
#include <string>

#include "base/json_fwd.h"
#include "inventory.h"

namespace negativa::studio {

// What POST options keeps, as long as the studio runs.
struct SdOptions {
  std::string model, vae;      // ROOT/NAME; empty: the bundled model, the model's own VAE
  int64_t preview_every = 10;  // steps; 0: none
};

// Sets what `given` (of options, or override_settings) asks for. Throws ErrorKind::input, and leaves `options` then.
void set_options(SdOptions& options, const Json& given, const Inventory& inventory);
// As GET options shows them; default_model: ROOT/NAME.
Json json_of(const SdOptions& options, const Inventory& inventory, const std::string& default_model);

}  // namespace negativa::studio
