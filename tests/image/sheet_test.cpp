#include "image/sheet.h"

#include <thread>

#include "base/temporary_folder.h"
#include "base/text.h"
#include "image/typesetter.h"

namespace negativa {

namespace {
int count(const Image8& image, Colour colour) {
  int found = 0;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) found += std::equal(colour.begin(), colour.end(), image.pixel(x, y));
  return found;
}
constexpr Colour red = {255, 0, 0}, blue = {0, 0, 255}, black = {0, 0, 0};

// The text in black on white, as wide and high as its line.
Image8 set_line(const std::string& text, int size_px = 24) {
  Typesetter typesetter;
  const TextLine line = text_line(text);
  Image8 image = Image8::filled(std::max(1, typesetter.width_px(line, size_px)), line_height_px(size_px), white);
  typesetter.draw(image, 0, 0, line, {size_px, black});
  return image;
}

// Where the picture is not white: its first and last column and row, or nothing.
struct Ink {
  int left = 0, top = 0, right = -1, bottom = -1;
  double amount = 0;  // in pixels of full black
};
Ink ink_of(const Image8& image) {
  Ink ink{image.width, image.height, -1, -1, 0};
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const int level = 255 - image.pixel(x, y)[0];
      if (level == 0) continue;
      ink.left = std::min(ink.left, x), ink.right = std::max(ink.right, x);
      ink.top = std::min(ink.top, y), ink.bottom = std::max(ink.bottom, y);
      ink.amount += level / 255.0;
    }
  return ink;
}

std::vector<std::string> wrapped(const std::string& text, int width_px, int max_lines) {
  Typesetter typesetter;
  std::vector<std::string> lines;
  for (const auto& line : typesetter.wrapped(text, {width_px, 13, max_lines})) {
    std::u32string characters;  // of the tests' texts, all in the Basic Multilingual Plane
    for (const char16_t c : line.text) characters += c;
    lines.push_back(utf8_from(characters));
    EXPECT_LE(typesetter.width_px(line, 13), width_px) << lines.back();
  }
  return lines;
}
using Lines = std::vector<std::string>;
}  // namespace

TEST(Typesetter, DrawsGlyphsInTheSizeAskedForAndCutsAtTheEdges) {
  const Ink small = ink_of(set_line("I", 20)), large = ink_of(set_line("I", 40));
  // DejaVu's capitals are 1493 of 2048 units high and the stem of I is 202 wide.
  EXPECT_NEAR(small.bottom - small.top + 1, 20 * 1493 / 2048.0, 1.0);
  EXPECT_NEAR(small.amount, 20 * 20 * (1493.0 * 202) / (2048.0 * 2048), 0.6);
  EXPECT_NEAR(large.amount, 4 * small.amount, 0.6);

  Image8 image = Image8::filled(7, 13, white);
  Typesetter typesetter;
  typesetter.draw(image, -3, -5, text_line("long text \xff 猫"), {39, red});  // must not write outside
  typesetter.draw(image, 5, 9, text_line("long text"), {39, red});
  typesetter.draw(image, -100000, 50000, text_line("long text"), {39, red});
  EXPECT_GT(count(image, red), 0);
}

TEST(Typesetter, DrawsInTheColourAskedForWithGreyEdges) {
  Image8 image = Image8::filled(40, 60, white);
  Typesetter typesetter;
  typesetter.draw(image, 2, 2, text_line("O"), {40, red});
  EXPECT_GT(count(image, red), 50);
  EXPECT_LT(count(image, red) + count(image, white), 40 * 60);  // and what is between them
  for (int i = 0; i < 40 * 60; ++i) ASSERT_EQ(image.rgb[static_cast<size_t>(3 * i)], 255);
}

TEST(Typesetter, EveryScriptOfItsFontsHasItsOwnShapes) {
  const Image8 missing = set_line("\xf3\xbf\xbf\xbd");  // U+FFFFD, which no font has
  EXPECT_GT(ink_of(missing).amount, 20);                // the box is to be seen
  // Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian, Georgian, kana, Han, Hangul, punctuation of CJK, full width, symbols.
  for (const std::string text :
       {"a", "é", "ß", "λ", "ж", "ع", "ש", "ա", "ა", "の", "ラ", "日", "本", "旗", "한", "。", "Ａ", "★", "→"}) {
    const Image8 drawn = set_line(text);
    EXPECT_GT(ink_of(drawn).amount, 3) << text;
    EXPECT_NE(drawn, missing) << text;
  }
  EXPECT_NE(set_line("日"), set_line("本"));
  EXPECT_EQ(set_line("日").width, set_line("本").width);
  // Mixed lines take each character from the font that has it.
  EXPECT_NEAR(ink_of(set_line("a日b本")).amount,
              ink_of(set_line("ab")).amount + ink_of(set_line("日")).amount + ink_of(set_line("本")).amount, 1.5);
}

TEST(Typesetter, ShapesWhatBelongsTogether) {
  EXPECT_EQ(set_line("e\u0301"), set_line("é"));                                         // a mark goes on its letter
  EXPECT_LT(set_line("AVAV").width, 2 * set_line("A").width + 2 * set_line("V").width);  // kerning
  // Arabic letters are joined: "بب" is narrower than two letters that stand alone, and "لا" is one ligature.
  EXPECT_LT(set_line("بب").width, 2 * set_line("ب").width);
  EXPECT_LT(set_line("لا").width, set_line("ل").width + set_line("ا").width);
}

TEST(Typesetter, RightToLeftTextIsDrawnInReadingOrder) {
  // Lamed is the one letter that is higher than the others: first in reading order, so on the right.
  const auto high = [](const std::string& text) {
    const Image8 image = set_line(text, 60);
    const Ink ink = ink_of(image);
    int x = 0;
    while (x < image.width && image.pixel(x, ink.top)[0] == 255) ++x;
    return x;
  };
  EXPECT_GT(high("לממממ"), high("ממממל") + 60);
  // Between Latin words Hebrew turns round, and the words stay where they are.
  EXPECT_LT(high("lממלממ"), 30);
}

TEST(Typesetter, BrokenTextAndControlCharactersAreHarmless) {
  EXPECT_EQ(set_line("a\xff"), set_line("a\ufffd"));
  EXPECT_EQ(set_line("a\x1b\x7f"), set_line("a\ufffd\ufffd"));
  EXPECT_EQ(set_line(std::string("a\0b", 3)), set_line("a\ufffdb"));
  EXPECT_EQ(set_line("a\tb\r\nc"), set_line("a b c"));
  EXPECT_EQ(set_line("a\u200bb\ufe0f"), set_line("ab"));  // invisible characters take no place
  EXPECT_EQ(ink_of(set_line("")).right, -1);
  EXPECT_EQ(ink_of(set_line("\u202e\u2067\u2066\u202a")).right, -1);  // directions that nobody closes
  EXPECT_EQ(wrapped("\xf0\x9f", 100, 3).size(), 1u);
}

TEST(Typesetter, WrapsAtSpacesAndWhereTheScriptAllowsIt) {
  EXPECT_EQ(wrapped("a label that is wrapped", 60, 9), (Lines{"a label", "that is", "wrapped"}));
  EXPECT_EQ(wrapped("one\ntwo\r\n\nfour", 60, 9), (Lines{"one", "two", "", "four"}));
  EXPECT_EQ(wrapped("日本の旗。", 4 * 13, 9), (Lines{"日本の", "旗。"}));  // no line begins with a full stop
  EXPECT_EQ(wrapped("abcdefghijklmnop", 70, 9).size(), 2u);                // a word that is too long is cut
  EXPECT_EQ(wrapped("e\u0301e\u0301e\u0301", 13, 9),
            (Lines{"e\u0301", "e\u0301", "e\u0301"}));  // between letters, not inside them
  EXPECT_TRUE(wrapped("", 60, 9).empty());
}

TEST(Typesetter, CutsWhatHasNoPlaceWithAnEllipsis) {
  EXPECT_EQ(wrapped("a label that is wrapped", 60, 2), (Lines{"a label", "that is…"}));
  EXPECT_EQ(wrapped("a label that is wrapped", 60, 3), (Lines{"a label", "that is", "wrapped"}));
  EXPECT_EQ(wrapped("日本の旗、日本の旗", 4 * 13, 1), (Lines{"日本の…"}));
  const auto endless = wrapped(std::string(20000, 'x'), 60, 2);
  ASSERT_EQ(endless.size(), 2u);
  EXPECT_TRUE(endless[1].ends_with("x…"));
}

TEST(LabelledSheet, ShowsEveryPictureEnlargedAndLabelled) {
  Sheet sheet;
  sheet.cells = {{Image8::filled(8, 8, red), Image8::filled(8, 8, blue)}, {Image8{}, Image8::filled(4, 8, red)}};
  sheet.column_labels = {"plain", "a label that is wrapped"};
  sheet.row_labels = {"seed 1", "seed 2"};
  sheet.upscale = 5;
  const Image8 drawn = labelled_sheet(sheet);
  EXPECT_EQ(count(drawn, red), 40 * 40 + 20 * 40);
  EXPECT_EQ(count(drawn, blue), 40 * 40);
  sheet.row_labels.clear();
  sheet.column_labels.clear();
  EXPECT_LT(labelled_sheet(sheet).width, drawn.width);
}

// The pictures' pixels are all there, so no label lies on one, and the margin is white, so none is cut.
TEST(LabelledSheet, LongLabelsOfAnyScriptStayInTheirPlaces) {
  const std::string latin = "a very long label, with words and moreandmoreandmoreandmoreandmoreandmore ";
  for (const int cell_px : {24, 160, 600})
    for (const std::string& label :
         {latin + latin + latin + latin + latin + latin, std::string("日本の旗、日本の旗、日本の旗、日本の旗")}) {
      Sheet sheet;
      sheet.cells = {{Image8::filled(8, 8, red), Image8::filled(8, 8, blue)},
                     {Image8::filled(8, 8, blue), Image8::filled(8, 8, red)}};
      sheet.column_labels = sheet.row_labels = {label, label};
      sheet.title = sheet.caption = label + label + label;
      sheet.upscale = cell_px / 8;
      const Image8 drawn = labelled_sheet(sheet);
      EXPECT_EQ(count(drawn, red), 2 * cell_px * cell_px);
      EXPECT_EQ(count(drawn, blue), 2 * cell_px * cell_px);
      const Ink ink = ink_of(drawn);
      EXPECT_GE(std::min(ink.left, ink.top), 10);
      EXPECT_LT(std::max(ink.right - drawn.width, ink.bottom - drawn.height), -10);
    }
}

TEST(LabelledSheet, IsTheSameInEveryThread) {
  Sheet sheet;
  sheet.cells = {{Image8::filled(8, 8, red)}};
  sheet.title = "Ж λ 日本 שלום";
  const Image8 alone = labelled_sheet(sheet);
  std::vector<Image8> drawn(4);
  std::vector<std::thread> threads;
  for (auto& image : drawn) threads.emplace_back([&image, &sheet] { image = labelled_sheet(sheet); });
  for (auto& thread : threads) thread.join();
  for (const auto& image : drawn) EXPECT_EQ(image, alone);
}

TEST(LabelledSheet, RefusesRaggedRowsAndLabelsThatDoNotFit) {
  const Image8 cell = Image8::filled(2, 2, red);
  const auto refused = [](std::vector<std::vector<Image8>> cells, size_t column_labels, size_t row_labels) {
    Sheet sheet;
    sheet.cells = std::move(cells);
    sheet.column_labels.resize(column_labels);
    sheet.row_labels.resize(row_labels);
    error_of(ErrorKind::input, [&] { labelled_sheet(sheet); });
  };
  refused({}, 0, 0);
  refused({{cell}, {cell, cell}}, 0, 0);
  refused({{cell}}, 2, 0);
  refused({{cell}}, 0, 2);
}

}  // namespace negativa
