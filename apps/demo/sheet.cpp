// Puts PNG files on one labelled sheet: how tools/demo.sh shows what `negativa generate --prompts` drew.
//   negativa_sheet OUT.png TITLE CAPTION COLUMNS LABEL… -- FILE…
// Files go row by row; "-" leaves a place blank. Labels: one a column, then one a row.
#include "image/sheet.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "base/files.h"

namespace negativa {

namespace {

using Arguments = std::vector<std::string>;

size_t parse_columns(const std::string& text) {
  size_t columns = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
  check(error == std::errc() && end == text.data() + text.size() && columns > 0, ErrorKind::input,
        "[COLUMNS] got \"{}\", expected a whole number from 1", text);
  return columns;
}

void run(const Arguments& args) {
  const auto dashes = std::find(args.begin(), args.end(), "--");
  check(args.size() > 4 && dashes != args.end() && dashes - args.begin() >= 4, ErrorKind::input,
        "usage: negativa_sheet OUT.png TITLE CAPTION COLUMNS LABEL... -- FILE...");
  const size_t columns = parse_columns(args[3]);
  const Arguments labels(args.begin() + 4, dashes), files(dashes + 1, args.end());
  check(!files.empty() && files.size() % columns == 0, ErrorKind::input, "[FILE] got {} files, expected whole rows of {}",
        files.size(), columns);
  const size_t rows = files.size() / columns;
  check(labels.size() == columns + rows, ErrorKind::input, "[LABEL] got {} labels, expected {}: one a column, then one a row",
        labels.size(), columns + rows);

  Sheet sheet;
  sheet.title = args[1];
  sheet.caption = args[2];
  sheet.column_labels.assign(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(columns));
  sheet.row_labels.assign(labels.begin() + static_cast<std::ptrdiff_t>(columns), labels.end());
  sheet.cells.resize(rows);
  for (size_t i = 0; i < files.size(); ++i) sheet.cells[i / columns].push_back(files[i] == "-" ? Image8() : read_image(files[i]));
  write_atomically(args[0], encode_png(labelled_sheet(sheet), {{"Title", sheet.title}, {"Description", sheet.caption}}));
}

}  // namespace

}  // namespace negativa

int main(int argc, char** argv) {
  try {
    negativa::run({argv + std::min(argc, 1), argv + argc});
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "negativa_sheet: %s\n", error.what());
    return 2;
  }
}
