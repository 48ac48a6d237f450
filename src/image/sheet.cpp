#include "image/sheet.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "image/font.h"

namespace negativa {

namespace {

constexpr Colour dark = {32, 32, 36}, grey = {110, 110, 116}, frame = {222, 222, 226};
constexpr int default_cell_px = 160;

struct Layout {
  int rows, columns, upscale, scale;         // scale: px per font pixel
  int cell_width, cell_height, gap, margin;  // px
  int row_label_width;                       // px, 0: none
  int line_height() const { return scale * (font::glyph_height + 2); }
};

// Breaks text into lines of at most max_px: at spaces where possible, inside words where not.
std::vector<std::string> wrapped(std::string_view text, int max_px, int scale) {
  const auto per_line = static_cast<size_t>(std::max(1, max_px / (scale * font::glyph_width)));
  std::u32string rest = code_points(text);
  std::vector<std::string> lines;
  while (!rest.empty()) {
    size_t length = std::min(rest.size(), per_line), skipped = 0;
    if (const auto newline = rest.find(U'\n'); newline <= length) {
      length = newline, skipped = 1;
    } else if (length < rest.size()) {
      const auto space = rest.rfind(U' ', length);
      if (space != std::u32string::npos && space > 0) length = space, skipped = 1;
    }
    lines.push_back(utf8_from(rest.substr(0, length)));
    rest.erase(0, length + skipped);
  }
  return lines;
}

int height_of(const std::vector<std::vector<std::string>>& blocks, int line_height) {
  size_t lines = 0;
  for (const auto& block : blocks) lines = std::max(lines, block.size());
  return static_cast<int>(lines) * line_height;
}

void draw_block(Image8& image, int x, int y, const std::vector<std::string>& lines, int line_height, const TextStyle& style) {
  for (const auto& line : lines) {
    draw_text(image, x, y, line, style);
    y += line_height;
  }
}

Layout layout_of(const Sheet& sheet) {
  Layout layout{};
  layout.rows = static_cast<int>(sheet.cells.size());
  layout.columns = layout.rows ? static_cast<int>(sheet.cells[0].size()) : 0;
  check(layout.columns > 0, ErrorKind::input, "[sheet] got no pictures, expected at least one");
  int width = 1, height = 1;
  for (const auto& row : sheet.cells) {
    check(row.size() == sheet.cells[0].size(), ErrorKind::input, "[sheet] got a row of {} pictures, expected {}", row.size(),
          layout.columns);
    for (const auto& cell : row) width = std::max(width, cell.width), height = std::max(height, cell.height);
  }
  check(sheet.column_labels.empty() || sheet.column_labels.size() == sheet.cells[0].size(), ErrorKind::input,
        "[sheet] got {} column labels, expected {}", sheet.column_labels.size(), layout.columns);
  check(sheet.row_labels.empty() || sheet.row_labels.size() == sheet.cells.size(), ErrorKind::input,
        "[sheet] got {} row labels, expected {}", sheet.row_labels.size(), layout.rows);
  layout.upscale = sheet.upscale > 0 ? sheet.upscale : std::max(1, (default_cell_px + width - 1) / width);
  layout.cell_width = width * layout.upscale;
  layout.cell_height = height * layout.upscale;
  layout.scale = std::max(1, layout.cell_width / 256);
  layout.gap = 8 * layout.scale;
  layout.margin = 20 * layout.scale;
  for (const auto& label : sheet.row_labels)
    layout.row_label_width = std::max(layout.row_label_width, text_width_px(label, layout.scale));
  layout.row_label_width = std::min(layout.row_label_width, std::max(layout.cell_width, 18 * font::glyph_width * layout.scale));
  return layout;
}

void draw_picture(Image8& sheet, int x, int y, const Image8& picture, const Layout& layout) {
  const Image8 enlarged = resize_for_display(picture, picture.width * layout.upscale, picture.height * layout.upscale);
  x += (layout.cell_width - enlarged.width) / 2;
  y += (layout.cell_height - enlarged.height) / 2;
  for (int row = -1; row <= enlarged.height; ++row)  // a hairline, so that white pictures end somewhere
    for (int column = -1; column <= enlarged.width; ++column) {
      const bool inside = row >= 0 && row < enlarged.height && column >= 0 && column < enlarged.width;
      std::copy_n(inside ? enlarged.pixel(column, row) : frame.data(), 3, sheet.pixel(x + column, y + row));
    }
}

}  // namespace

int text_width_px(std::string_view text, int scale) {
  return static_cast<int>(code_points(text).size()) * font::glyph_width * scale;
}

void draw_text(Image8& image, int x, int y, std::string_view text, const TextStyle& style) {
  for (const char32_t character : code_points(text)) {
    for (int row = 0; row < font::glyph_height * style.scale; ++row)
      for (int column = 0; column < font::glyph_width * style.scale; ++column) {
        const int px = x + column, py = y + row;
        const bool inside = px >= 0 && px < image.width && py >= 0 && py < image.height;
        if (inside && (font::glyph_row(character, row / style.scale) & (0x80 >> (column / style.scale))))
          std::copy_n(style.colour.data(), 3, image.pixel(px, py));
      }
    x += font::glyph_width * style.scale;
  }
}

Image8 labelled_sheet(const Sheet& sheet) {
  const Layout layout = layout_of(sheet);
  const int left = layout.margin + (layout.row_label_width ? layout.row_label_width + 2 * layout.gap : 0);
  const int grid_width = layout.columns * layout.cell_width + (layout.columns - 1) * layout.gap;
  const int width = left + grid_width + layout.margin, text_width = width - 2 * layout.margin;
  const int title_scale = layout.scale + (layout.scale + 1) / 2, title_line = title_scale * (font::glyph_height + 3);

  const auto title = wrapped(sheet.title, text_width, title_scale);
  const auto caption = wrapped(sheet.caption, text_width, layout.scale);
  std::vector<std::vector<std::string>> columns;
  for (const auto& label : sheet.column_labels) columns.push_back(wrapped(label, layout.cell_width, layout.scale));

  const int labels_top = layout.margin + height_of({title}, title_line) + (title.empty() ? 0 : layout.gap);
  const int labels_height = height_of(columns, layout.line_height());
  const int top = labels_top + labels_height + (columns.empty() ? 0 : layout.gap / 2);
  const int grid_height = layout.rows * layout.cell_height + (layout.rows - 1) * layout.gap;
  const int caption_top = top + grid_height + layout.gap;
  const int height =
      caption_top + height_of({caption}, layout.line_height()) + layout.margin - (caption.empty() ? layout.gap : 0);

  Image8 image = Image8::filled(width, height, white);
  draw_block(image, layout.margin, layout.margin, title, title_line, {title_scale, dark});
  for (int c = 0; c < layout.columns; ++c) {
    const int x = left + c * (layout.cell_width + layout.gap);
    if (!columns.empty()) {  // labels stand on their pictures: short ones begin lower
      const auto& lines = columns[static_cast<size_t>(c)];
      draw_block(image, x, labels_top + labels_height - height_of({lines}, layout.line_height()), lines, layout.line_height(),
                 {layout.scale, dark});
    }
    for (int r = 0; r < layout.rows; ++r) {
      const auto& picture = sheet.cells[static_cast<size_t>(r)][static_cast<size_t>(c)];
      if (!picture.empty()) draw_picture(image, x, top + r * (layout.cell_height + layout.gap), picture, layout);
    }
  }
  for (int r = 0; r < static_cast<int>(sheet.row_labels.size()); ++r) {
    const auto lines = wrapped(sheet.row_labels[static_cast<size_t>(r)], layout.row_label_width, layout.scale);
    const int middle = top + r * (layout.cell_height + layout.gap) + layout.cell_height / 2;
    draw_block(image, layout.margin, middle - height_of({lines}, layout.line_height()) / 2, lines, layout.line_height(),
               {layout.scale, dark});
  }
  draw_block(image, layout.margin, caption_top, caption, layout.line_height(), {layout.scale, grey});
  return image;
}

}  // namespace negativa
