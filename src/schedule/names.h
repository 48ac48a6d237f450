#pragma once
// What samplers and sigma grids are called, from the tables of sampler.cpp and sigma_grid.cpp. No torch: options and records need
// no more of them.
#include <string>
#include <string_view>
#include <vector>

namespace negativa {

std::vector<std::string> sampler_names();
std::vector<std::string> grid_names();

// What AUTOMATIC1111's webui writes as "Sampler" and "Schedule type". Throw ErrorKind::input for a name that is not in the table.
std::string webui_sampler_name(std::string_view sampler);
std::string webui_grid_name(std::string_view grid);

}  // namespace negativa
