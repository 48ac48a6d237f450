#pragma once
// The name `Json` for headers; .cpp files that use its members include base/json.h.
#include <nlohmann/json_fwd.hpp>

namespace negativa {
using Json = nlohmann::json;
}
