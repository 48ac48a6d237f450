#include "image/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

namespace negativa {

std::string half_blocks(const Image8& image, int max_columns) {
  if (image.empty()) return "";
  max_columns = std::max(1, max_columns);
  const int width = image.width > max_columns ? max_columns : image.width * (max_columns / image.width);
  const int height = std::max<int>(1, static_cast<int>((int64_t{image.height} * width + image.width / 2) / image.width));
  const Image8 fitted = resize_for_display(image, width, height);
  std::string text;
  for (int y = 0; y < fitted.height; y += 2) {
    for (int x = 0; x < fitted.width; ++x) {
      const uint8_t* top = fitted.pixel(x, y);
      text += fmt::format("\033[38;2;{};{};{}m", top[0], top[1], top[2]);
      if (y + 1 < fitted.height) {
        const uint8_t* bottom = fitted.pixel(x, y + 1);
        text += fmt::format("\033[48;2;{};{};{}m", bottom[0], bottom[1], bottom[2]);
      }
      text += "\u2580";
    }
    text += "\033[0m\n";
  }
  return text;
}

int terminal_columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace negativa
