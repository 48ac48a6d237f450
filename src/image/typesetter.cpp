#include "image/typesetter.h"

#include "image/fonts.h"
#include "image/line_breaks.h"
#include "image/text_runs.h"

namespace negativa {

namespace {

struct PlacedGlyph {
  size_t font;
  uint32_t glyph;
  int x, y;  // of its origin, 1/64 px to the right of and above the line's origin on the baseline
};

struct ShapedLine {
  std::vector<PlacedGlyph> glyphs;
  int width = 0;  // 1/64 px
};

// Paints the glyph's grey levels with (x, y) px as its origin.
void paint(Image8& image, const FT_GlyphSlot slot, int x, int y, Colour colour) {
  const FT_Bitmap& bitmap = slot->bitmap;
  for (int row = 0; row < static_cast<int>(bitmap.rows); ++row)
    for (int column = 0; column < static_cast<int>(bitmap.width); ++column) {
      const int px = x + slot->bitmap_left + column, py = y - slot->bitmap_top + row;
      if (px < 0 || px >= image.width || py < 0 || py >= image.height) continue;
      const int level = bitmap.buffer[row * bitmap.pitch + column];
      uint8_t* pixel = image.pixel(px, py);
      for (size_t c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>((pixel[c] * (255 - level) + colour[c] * level + 127) / 255);
    }
}

}  // namespace

struct Typesetter::State {
  FreeTypeLibrary library = open_freetype();
  std::array<Font, bundled_fonts> fonts = open_bundled_fonts(library.get());
  Handle<hb_buffer_t, hb_buffer_destroy> buffer{hb_buffer_create()};

  void append_run(const TextLine& line, const TextRun& run, ShapedLine& shaped) {
    hb_buffer_clear_contents(buffer.get());
    hb_buffer_add_utf16(buffer.get(), reinterpret_cast<const uint16_t*>(line.text.data()), static_cast<int>(line.text.size()),
                        static_cast<unsigned>(run.begin), run.end - run.begin);
    hb_buffer_set_direction(buffer.get(), run.right_to_left ? HB_DIRECTION_RTL : HB_DIRECTION_LTR);
    hb_buffer_set_script(buffer.get(), run.script);
    hb_buffer_set_language(buffer.get(), hb_language_from_string("und", -1));  // the default is the locale's
    hb_shape(fonts[run.font].shaper(), buffer.get(), nullptr, 0);
    unsigned count = 0;
    const hb_glyph_info_t* infos = hb_buffer_get_glyph_infos(buffer.get(), &count);
    const hb_glyph_position_t* positions = hb_buffer_get_glyph_positions(buffer.get(), &count);
    for (unsigned i = 0; i < count; ++i) {
      shaped.glyphs.push_back({run.font, infos[i].codepoint, shaped.width + positions[i].x_offset, positions[i].y_offset});
      shaped.width += positions[i].x_advance;
    }
  }

  ShapedLine shaped(const TextLine& line, int size_px) {
    for (Font& font : fonts) font.set_size(size_px);
    ShapedLine result;
    for (const TextRun& run : runs_of(line, fonts)) append_run(line, run, result);
    return result;
  }
};

Typesetter::Typesetter() : state_(std::make_unique<State>()) {}
Typesetter::~Typesetter() = default;

int line_height_px(int size_px) { return (size_px * 13 + 9) / 10; }

int Typesetter::width_px(const TextLine& line, int size_px) { return (state_->shaped(line, size_px).width + 63) / 64; }

std::vector<TextLine> Typesetter::wrapped(std::string_view utf8, const TextBox& box) {
  return broken_lines(utf8, box, [&](const TextLine& line) { return width_px(line, box.size_px); });
}

void Typesetter::draw(Image8& image, int x, int y, const TextLine& line, const TextStyle& style) {
  const ShapedLine shaped = state_->shaped(line, style.size_px);
  const int baseline = y + style.size_px;
  for (const PlacedGlyph& glyph : shaped.glyphs) {
    const FT_GlyphSlot slot = state_->fonts[glyph.font].rendered(glyph.glyph, glyph.x & 63, glyph.y & 63);
    paint(image, slot, x + (glyph.x >> 6), baseline - (glyph.y >> 6), style.colour);
  }
}

}  // namespace negativa
