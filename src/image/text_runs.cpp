#include "image/text_runs.h"

#include <unicode/ubidi.h>
#include <unicode/uchar.h>
#include <unicode/utf16.h>

#include <algorithm>

#include "base/error.h"

namespace negativa {

namespace {

// Marks and invisible characters (joiners, variation selectors) belong to the character before them.
bool continues(UChar32 character) {
  constexpr uint32_t marks = U_GC_MN_MASK | U_GC_ME_MASK | U_GC_MC_MASK;
  return (U_GET_GC_MASK(character) & marks) != 0 || u_hasBinaryProperty(character, UCHAR_DEFAULT_IGNORABLE_CODE_POINT);
}

size_t font_for(UChar32 character, std::span<const Font> fonts) {
  for (size_t i = 0; i < fonts.size(); ++i)
    if (fonts[i].has(static_cast<char32_t>(character))) return i;
  return 0;
}

bool is_a_script(hb_script_t script) {
  return script != HB_SCRIPT_COMMON && script != HB_SCRIPT_INHERITED && script != HB_SCRIPT_UNKNOWN;
}

// The runs of [begin, end), which has one direction, in the order of the text. Spaces and punctuation take the script around
// them.
std::vector<TextRun> runs_of_direction(const std::u16string& text, int32_t begin, int32_t end, bool right_to_left,
                                       std::span<const Font> fonts) {
  std::vector<TextRun> runs;
  for (int32_t next = begin; next < end;) {
    const int32_t at = next;
    UChar32 character = 0;
    U16_NEXT(text.data(), next, end, character);
    const hb_script_t script = hb_unicode_script(hb_unicode_funcs_get_default(), static_cast<hb_codepoint_t>(character));
    const size_t font = !runs.empty() && continues(character) ? runs.back().font : font_for(character, fonts);
    if (!runs.empty() && runs.back().font == font) {
      TextRun& last = runs.back();
      if (!is_a_script(last.script)) last.script = script;
      if (!is_a_script(script) || script == last.script) {
        last.end = next;
        continue;
      }
    }
    runs.push_back({at, next, font, script, right_to_left});
  }
  return runs;
}

}  // namespace

std::vector<TextRun> runs_of(const TextLine& line, std::span<const Font> fonts) {
  UErrorCode status = U_ZERO_ERROR;
  const Handle<UBiDi, ubidi_close> bidi(ubidi_open());
  check(bidi != nullptr, ErrorKind::machine, "[fonts] ICU cannot order text: no memory");
  ubidi_setPara(bidi.get(), line.text.data(), static_cast<int32_t>(line.text.size()), line.right_to_left ? 1 : 0, nullptr,
                &status);
  const int32_t count = ubidi_countRuns(bidi.get(), &status);
  check(U_SUCCESS(status), ErrorKind::machine, "[fonts] ICU cannot order text ({}); is memory short?", u_errorName(status));
  std::vector<TextRun> runs;
  for (int32_t i = 0; i < count; ++i) {
    int32_t begin = 0, length = 0;
    const bool right_to_left = ubidi_getVisualRun(bidi.get(), i, &begin, &length) == UBIDI_RTL;
    auto part = runs_of_direction(line.text, begin, begin + length, right_to_left, fonts);
    if (right_to_left) std::reverse(part.begin(), part.end());
    runs.insert(runs.end(), part.begin(), part.end());
  }
  return runs;
}

}  // namespace negativa
