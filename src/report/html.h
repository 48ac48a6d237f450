#pragma once
// Markup by its tree: whatever is text is escaped, and every element that is opened is closed.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace negativa {

// For text and attribute values alike: & < > " ' as references; control characters and what is no UTF-8 as U+FFFD.
std::string escaped(std::string_view text);
// For a <script type="application/json">: no '<', '>', '&' and no line separators stay, so that nothing ends the element.
std::string script_safe(std::string_view json);
std::string base64(std::string_view bytes);

using Attributes = std::vector<std::pair<std::string_view, std::string>>;

class Html {
 public:
  Html& open(std::string_view tag, const Attributes& attributes = {});
  Html& close();  // the innermost one
  Html& text(std::string_view text);
  Html& element(std::string_view tag, std::string_view text, const Attributes& attributes = {});
  Html& single(std::string_view tag, const Attributes& attributes = {});  // <img>, <path/>: no content
  // Text that a person wrote, with a direction of its own.
  Html& written(std::string_view text);
  // As it is: files of the program itself.
  Html& raw(std::string_view markup);

  size_t size() const { return markup_.size(); }
  std::string take();  // all must be closed

 private:
  void begin(std::string_view tag, const Attributes& attributes);
  std::string markup_;
  std::vector<std::string> opened_;
};

}  // namespace negativa
