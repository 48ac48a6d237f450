#include "page.h"

extern "C" {
extern const char negativa_page_html_begin[], negativa_page_html_end[];
extern const char negativa_page_js_begin[], negativa_page_js_end[];
extern const char negativa_page_css_begin[], negativa_page_css_end[];
}

namespace negativa::studio {

namespace {
// A picture and its negative, for the browser's tab.
constexpr std::string_view icon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#2f6fed" d="M1 1h7v14H1z"/><path fill="#d09012" d="M8 1h7v14H8z"/></svg>)";

std::string_view between(const char* begin, const char* end) { return {begin, static_cast<size_t>(end - begin)}; }
}  // namespace

const std::vector<PageFile>& page_files() {
  static const std::vector<PageFile> files = {
      {"/", "text/html; charset=utf-8", between(negativa_page_html_begin, negativa_page_html_end)},
      {"/icon.svg", "image/svg+xml", icon},
      {"/studio.js", "text/javascript; charset=utf-8", between(negativa_page_js_begin, negativa_page_js_end)},
      {"/studio.css", "text/css; charset=utf-8", between(negativa_page_css_begin, negativa_page_css_end)}};
  return files;
}

}  // namespace negativa::studio
