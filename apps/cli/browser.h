#pragma once
// The person's browser.
#include <string>

namespace negativa::cli {

// Opens the address, or says on stderr that no browser was found.
void open_browser(const std::string& url);

}  // namespace negativa::cli
