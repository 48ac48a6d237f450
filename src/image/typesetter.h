#pragma once
// Text in pictures, set in the bundled fonts: shaped by HarfBuzz, right-to-left scripts in reading order (Unicode Standard Annex
// 9), drawn in grey levels by FreeType. A character that no font has is a box. The same text gives the same pixels everywhere:
// neither fonts nor settings of the machine are asked.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "image/image.h"

namespace negativa {

struct TextStyle {
  int size_px = 13;  // of the em square; capitals are 0.73 of it
  Colour colour = {32, 32, 36};
};
int line_height_px(
    int size_px);  // letters of a line drawn at y are inside [y, y + line_height_px), unless marks are piled on them

struct TextLine {
  std::u16string text;
  bool right_to_left = false;  // the direction of the paragraph it is of
};
// The whole text as one line: bytes that are not UTF-8 become U+FFFD, as do control characters; tabs and line ends become spaces.
TextLine text_line(std::string_view utf8);

struct TextBox {
  int width_px = 0;
  int size_px = 13;
  int max_lines = 1;
};

// One thread at a time; each thread may have its own. Throws ErrorKind::machine when fonts cannot be opened.
class Typesetter {
 public:
  Typesetter();
  ~Typesetter();

  int width_px(const TextLine& line, int size_px);  // rounded up

  // Breaks text into lines no wider than the box: at its line ends and where Unicode Standard Annex 14 allows it, inside words
  // where there is no other way, and never inside a letter with its accents. The last of max_lines ends in "…" when text is left.
  std::vector<TextLine> wrapped(std::string_view utf8, const TextBox& box);

  // The line's top left corner at (x, y) px; parts outside the picture are cut.
  void draw(Image8& image, int x, int y, const TextLine& line, const TextStyle& style = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace negativa
