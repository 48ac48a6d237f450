#include "page.h"

extern "C" {
extern const char negativa_page_html_begin[], negativa_page_html_end[];
extern const char negativa_page_js_begin[], negativa_page_js_end[];
extern const char negativa_page_css_begin[], negativa_page_css_end[];
}

namespace negativa::studio {

namespace {
std::string_view between(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }
}  // namespace

const std::vector<PageFile>& page_files() {
  static const std::vector<PageFile> files = {
      {"/", "text/html; charset=utf-8", between(negativa_page_html_begin, negativa_page_html_end)},
      {"/studio.js", "text/javascript; charset=utf-8", between(negativa_page_js_begin, negativa_page_js_end)},
      {"/studio.css", "text/css; charset=utf-8", between(negativa_page_css_begin, negativa_page_css_end)}};
  return files;
}

}  // namespace negativa::studio
