#pragma once
// The fonts that are part of the program (fonts/README.md), opened for shaping and for drawing.
#include <ft2build.h>
#include <hb.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include FT_FREETYPE_H

namespace negativa {

template <auto release>
struct ReleasedBy {
  void operator()(auto* handle) const { release(handle); }
};
template <class T, auto release>
using Handle = std::unique_ptr<T, ReleasedBy<release>>;

using FreeTypeLibrary = Handle<FT_LibraryRec_, FT_Done_FreeType>;
FreeTypeLibrary open_freetype();  // throws ErrorKind::machine

// One font at one size at a time. Not copied; one thread at a time, as is the library it belongs to, which must outlive it.
class Font {
 public:
  // bytes: a TrueType file, which must outlive the font. Throws ErrorKind::machine.
  Font(FT_Library library, std::span<const uint8_t> bytes);

  bool has(char32_t character) const { return FT_Get_Char_Index(face_.get(), character) != 0; }
  void set_size(int size_px);  // of the em square
  hb_font_t* shaper() const { return shaper_.get(); }

  // The glyph's shape in 256 levels, its origin moved by (x, y) 1/64 px to the right and up; valid until the next call. A glyph
  // that cannot be drawn is an empty bitmap.
  FT_GlyphSlot rendered(uint32_t glyph, int x, int y);

 private:
  Handle<FT_FaceRec_, FT_Done_Face> face_;
  Handle<hb_font_t, hb_font_destroy> shaper_;
};

inline constexpr int bundled_fonts = 2;  // asked in this order for a character: DejaVu Sans, Droid Sans Fallback
std::array<Font, bundled_fonts> open_bundled_fonts(FT_Library library);

}  // namespace negativa
