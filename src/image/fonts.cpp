#include "image/fonts.h"

#include <hb-ot.h>

#include "base/error.h"

#include FT_OUTLINE_H

extern "C" {  // fonts.S
extern const uint8_t negativa_dejavu_sans_begin[], negativa_dejavu_sans_end[];
extern const uint8_t negativa_droid_fallback_begin[], negativa_droid_fallback_end[];
}

namespace negativa {

namespace {

void check_freetype(FT_Error error, const char* action) {
  check(error == 0, ErrorKind::machine, "[fonts] FreeType cannot {} (its error {}); is memory short?", action, error);
}

}  // namespace

FreeTypeLibrary open_freetype() {
  FT_Library library = nullptr;
  check_freetype(FT_Init_FreeType(&library), "start");
  return FreeTypeLibrary(library);
}

Font::Font(FT_Library library, std::span<const uint8_t> bytes) {
  FT_Face face = nullptr;
  check_freetype(FT_New_Memory_Face(library, bytes.data(), static_cast<FT_Long>(bytes.size()), 0, &face), "open a bundled font");
  face_.reset(face);
  const Handle<hb_blob_t, hb_blob_destroy> blob(hb_blob_create(reinterpret_cast<const char*>(bytes.data()),
                                                               static_cast<unsigned>(bytes.size()), HB_MEMORY_MODE_READONLY,
                                                               nullptr, nullptr));
  const Handle<hb_face_t, hb_face_destroy> tables(hb_face_create(blob.get(), 0));
  shaper_.reset(hb_font_create(tables.get()));
  hb_ot_font_set_funcs(shaper_.get());  // advances straight from the file: not rounded, whatever FreeType does
}

void Font::set_size(int size_px) {
  check_freetype(FT_Set_Pixel_Sizes(face_.get(), 0, static_cast<FT_UInt>(size_px)), "set a font's size");
  hb_font_set_scale(shaper_.get(), size_px * 64, size_px * 64);
}

FT_GlyphSlot Font::rendered(uint32_t glyph, int x, int y) {
  // Without hinting shapes depend on the file alone, and may stand between pixels.
  const bool loaded = FT_Load_Glyph(face_.get(), glyph, FT_LOAD_NO_HINTING | FT_LOAD_NO_BITMAP) == 0;
  FT_GlyphSlot slot = face_->glyph;
  if (loaded) FT_Outline_Translate(&slot->outline, x, y);
  if (!loaded || FT_Render_Glyph(slot, FT_RENDER_MODE_NORMAL) != 0) slot->bitmap.rows = slot->bitmap.width = 0;
  return slot;
}

std::array<Font, bundled_fonts> open_bundled_fonts(FT_Library library) {
  return {Font(library, {negativa_dejavu_sans_begin, negativa_dejavu_sans_end}),
          Font(library, {negativa_droid_fallback_begin, negativa_droid_fallback_end})};
}

}  // namespace negativa
