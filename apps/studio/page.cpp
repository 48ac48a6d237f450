#include "page.h"

#include "page_files.h"

namespace negativa::studio {

const std::vector<PageFile>& page_files() {
  static const std::vector<PageFile> files = NEGATIVA_PAGE_FILES;
  return files;
}

const std::vector<PageFile>& rate_page_files() {
  static const std::vector<PageFile> files = NEGATIVA_RATE_PAGE_FILES;
  return files;
}

}  // namespace negativa::studio
