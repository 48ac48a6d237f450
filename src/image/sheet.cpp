#include "image/sheet.h"

#include <algorithm>

#include "base/error.h"
#include "image/typesetter.h"

namespace negativa {

namespace {

constexpr Colour dark = {32, 32, 36}, grey = {110, 110, 116}, frame = {222, 222, 226};
constexpr int default_cell_px = 160, least_text_px = 13;
constexpr int title_lines = 4, column_label_lines = 8, caption_lines = 8;

struct Layout {
  int rows, columns, upscale;
  int text_size, cell_width, cell_height, gap, margin;  // px
  int row_label_width;                                  // px, 0: none
  int x(int column) const { return left() + column * (cell_width + gap); }
  int left() const { return margin + (row_label_width ? row_label_width + 2 * gap : 0); }
  int width() const { return x(columns) - gap + margin; }
  int grid_height() const { return rows * (cell_height + gap) - gap; }
};

// Lines of one style; those of a paragraph that reads from the right end at the right.
struct TextBlock {
  TextStyle style;
  int width;  // px
  std::vector<TextLine> lines;
  int height() const { return static_cast<int>(lines.size()) * line_height_px(style.size_px); }
};

TextBlock text_block(Typesetter& typesetter, std::string_view text, const TextBox& box, Colour colour) {
  return {{box.size_px, colour}, box.width_px, typesetter.wrapped(text, box)};
}

void draw_block(Typesetter& typesetter, Image8& image, int x, int y, const TextBlock& block) {
  for (const auto& line : block.lines) {
    const int indent = line.right_to_left ? block.width - typesetter.width_px(line, block.style.size_px) : 0;
    typesetter.draw(image, x + indent, y, line, block.style);
    y += line_height_px(block.style.size_px);
  }
}

// All but the row labels' width.
void set_sizes(Layout& layout, int picture_width, int picture_height, int upscale) {
  layout.upscale = upscale > 0 ? upscale : default_upscale(picture_width);
  layout.cell_width = picture_width * layout.upscale;
  layout.cell_height = picture_height * layout.upscale;
  layout.text_size = std::max(least_text_px, layout.cell_width / 20);
  layout.gap = layout.text_size * 5 / 8;
  layout.margin = layout.text_size * 3 / 2;
}

int widest_row_label(const Layout& layout) { return std::max(layout.cell_width, 10 * layout.text_size); }
int title_size(const Layout& layout) { return layout.text_size * 7 / 4; }

Layout layout_of(const Sheet& sheet, Typesetter& typesetter) {
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
  set_sizes(layout, width, height, sheet.upscale);
  for (const auto& label : sheet.row_labels)
    layout.row_label_width = std::max(layout.row_label_width, typesetter.width_px(text_line(label), layout.text_size));
  layout.row_label_width = std::min(layout.row_label_width, widest_row_label(layout));
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

void draw_grid(Image8& image, int top, const Sheet& sheet, const Layout& layout) {
  for (int r = 0; r < layout.rows; ++r)
    for (int c = 0; c < layout.columns; ++c) {
      const auto& picture = sheet.cells[static_cast<size_t>(r)][static_cast<size_t>(c)];
      if (!picture.empty()) draw_picture(image, layout.x(c), top + r * (layout.cell_height + layout.gap), picture, layout);
    }
}

void draw_row_labels(Image8& image, int top, const Sheet& sheet, const Layout& layout, Typesetter& typesetter) {
  const int lines = layout.cell_height / line_height_px(layout.text_size);
  for (int r = 0; r < static_cast<int>(sheet.row_labels.size()); ++r) {
    const auto block =
        text_block(typesetter, sheet.row_labels[static_cast<size_t>(r)], {layout.row_label_width, layout.text_size, lines}, dark);
    const int middle = top + r * (layout.cell_height + layout.gap) + layout.cell_height / 2;
    draw_block(typesetter, image, layout.margin, middle - block.height() / 2, block);
  }
}

}  // namespace

Image8 labelled_sheet(const Sheet& sheet) {
  Typesetter typesetter;
  const Layout layout = layout_of(sheet, typesetter);
  const int text_width = layout.width() - 2 * layout.margin, size = layout.text_size;
  const auto title = text_block(typesetter, sheet.title, {text_width, title_size(layout), title_lines}, dark);
  const auto caption = text_block(typesetter, sheet.caption, {text_width, size, caption_lines}, grey);
  std::vector<TextBlock> columns;
  int labels_height = 0;
  for (const auto& label : sheet.column_labels) {
    columns.push_back(text_block(typesetter, label, {layout.cell_width, size, column_label_lines}, dark));
    labels_height = std::max(labels_height, columns.back().height());
  }

  const int labels_bottom = layout.margin + title.height() + (title.lines.empty() ? 0 : layout.gap) + labels_height;
  const int top = labels_bottom + (columns.empty() ? 0 : layout.gap / 2);
  const int caption_top = top + layout.grid_height() + (caption.lines.empty() ? 0 : layout.gap);

  Image8 image = Image8::filled(layout.width(), caption_top + caption.height() + layout.margin, white);
  draw_block(typesetter, image, layout.margin, layout.margin, title);
  for (size_t c = 0; c < columns.size(); ++c)  // labels stand on their pictures: short ones begin lower
    draw_block(typesetter, image, layout.x(static_cast<int>(c)), labels_bottom - columns[c].height(), columns[c]);
  draw_grid(image, top, sheet, layout);
  draw_row_labels(image, top, sheet, layout, typesetter);
  draw_block(typesetter, image, layout.margin, caption_top, caption);
  return image;
}

int default_upscale(int picture_width) { return std::max(1, (default_cell_px + picture_width - 1) / picture_width); }

int64_t most_pixels_of(const SheetShape& shape) {
  Layout layout{};
  set_sizes(layout, shape.picture_width, shape.picture_height, 0);
  layout.row_label_width = widest_row_label(layout);
  const int64_t gap = layout.gap, line = line_height_px(layout.text_size);
  const int64_t texts = title_lines * line_height_px(title_size(layout)) + (column_label_lines + caption_lines) * line;
  const int64_t width = layout.left() + static_cast<int64_t>(shape.columns) * (layout.cell_width + gap) - gap + layout.margin;
  const int64_t grid = static_cast<int64_t>(shape.rows) * (layout.cell_height + gap) - gap;
  return width * (2 * layout.margin + texts + 3 * gap + grid);
}

}  // namespace negativa
