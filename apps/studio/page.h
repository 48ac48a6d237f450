#pragma once
// The files of the page, which are part of the program.
#include <string_view>
#include <vector>

namespace negativa::studio {

struct PageFile {
  std::string_view path;  // "/studio.js"; "/" of the page itself
  std::string_view content_type;
  std::string_view bytes;
};

const std::vector<PageFile>& page_files();       // of the studio
const std::vector<PageFile>& rate_page_files();  // of the page on which pairs are rated, which has no other beside it

}  // namespace negativa::studio
