#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"

namespace negativa {

namespace {

constexpr int weight_bits = 22;  // 8 bits of a pixel and 2 of headroom, since some weights are negative, fill the 32

double sinc(double x) { return x == 0 ? 1 : std::sin(x * std::numbers::pi) / (x * std::numbers::pi); }

double bilinear(double x) { return std::max(0.0, 1 - std::abs(x)); }

double bicubic(double x) {  // Keys 1981, a = -0.5
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double lanczos(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

struct Kernel {
  double (*value)(double);
  double radius;  // source pixels, when enlarging
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::bilinear:
      return {bilinear, 1};
    case Filter::bicubic:
      return {bicubic, 2};
    case Filter::lanczos:
      break;
  }
  return {lanczos, 3};
}

// What one target pixel takes from the source along an axis.
struct Taps {
  int first = 0;                 // source pixel
  std::vector<int32_t> weights;  // sum about 1 << weight_bits
};

// Target pixels [begin, begin + count) of `to`. The arithmetic and its order are Pillow's, or last bits would differ.
std::vector<Taps> axis_taps(int from, int to, int begin, int count, Filter filter) {
  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(from) / to;
  const double stretch = std::max(1.0, scale);  // a smaller picture averages over more of the source
  const double radius = kernel.radius * stretch;
  std::vector<Taps> axis(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    const double centre = (begin + i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - radius + 0.5)),
              last = std::min(from, static_cast<int>(centre + radius + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int x = first; x < last; ++x) sum += weights.emplace_back(kernel.value((x - centre + 0.5) * (1.0 / stretch)));
    Taps& taps = axis[static_cast<size_t>(i)];
    taps.first = first;
    for (double weight : weights) {
      if (sum != 0) weight /= sum;
      taps.weights.push_back(static_cast<int32_t>((weight < 0 ? -0.5 : 0.5) + weight * (1 << weight_bits)));
    }
  }
  return axis;
}

// One target pixel; stride: bytes between the source pixels.
void mix(const uint8_t* source, size_t stride, const std::vector<int32_t>& weights, uint8_t* target) {
  int32_t red = 1 << (weight_bits - 1), green = red, blue = red;
  for (const int32_t weight : weights) {
    red += source[0] * weight, green += source[1] * weight, blue += source[2] * weight;
    source += stride;
  }
  const auto byte = [](int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> weight_bits, 0, 255)); };
  target[0] = byte(red), target[1] = byte(green), target[2] = byte(blue);
}

struct Range {
  int begin, end;
};

Range source_of(const std::vector<Taps>& axis) {
  return {axis.front().first, axis.back().first + static_cast<int>(axis.back().weights.size())};
}

void shift(std::vector<Taps>& axis, int by) {
  for (Taps& taps : axis) taps.first += by;
}

// Of these rows of the picture.
Image8 resized_across(const Image8& image, const std::vector<Taps>& columns, Range rows) {
  Image8 result = Image8::filled(static_cast<int>(columns.size()), rows.end - rows.begin, white);
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x) {
      const Taps& taps = columns[static_cast<size_t>(x)];
      mix(image.pixel(taps.first, rows.begin + y), 3, taps.weights, result.pixel(x, y));
    }
  return result;
}

// Of these columns.
Image8 resized_down(const Image8& image, const std::vector<Taps>& rows, Range columns) {
  Image8 result = Image8::filled(columns.end - columns.begin, static_cast<int>(rows.size()), white);
  for (int y = 0; y < result.height; ++y) {
    const Taps& taps = rows[static_cast<size_t>(y)];
    for (int x = 0; x < result.width; ++x)
      mix(image.pixel(columns.begin + x, taps.first), static_cast<size_t>(image.width) * 3, taps.weights, result.pixel(x, y));
  }
  return result;
}

// Each pass rounds to bytes, so their order shows. Pillow begins with the height when that shrinks by more than twice what the
// width does: python-pillow/Pillow pull request 9549, in 13.0; before, it began with the width always.
bool begins_with_height(const Image8& image, int width, int height) {
  return image.height > height && int64_t{image.height} - height > 2 * (int64_t{image.width} - width);
}

}  // namespace

Image8 resize(const Image8& image, int width, int height, Filter filter) {
  return resize_window(image, width, height, {0, 0, width, height}, filter);
}

Image8 resize_window(const Image8& image, int width, int height, const Window& window, Filter filter) {
  check(!image.empty() && window.width > 0 && window.height > 0, ErrorKind::input,
        "[resize] got {}x{} of a picture of {}x{}, expected some pixels", window.width, window.height, image.width, image.height);
  check(window.left >= 0 && window.top >= 0 && window.left <= width - window.width && window.top <= height - window.height,
        ErrorKind::input, "[resize] got the part {}x{} at {},{} of {}x{}, expected one inside", window.width, window.height,
        window.left, window.top, width, height);
  auto columns = axis_taps(image.width, width, window.left, window.width, filter);
  auto rows = axis_taps(image.height, height, window.top, window.height, filter);
  // The first pass makes only what the second one reads.
  if (begins_with_height(image, width, height)) {
    const Range source = source_of(columns);
    shift(columns, -source.begin);
    return resized_across(resized_down(image, rows, source), columns, {0, window.height});
  }
  const Range source = source_of(rows);
  shift(rows, -source.begin);
  return resized_down(resized_across(image, columns, source), rows, {0, window.width});
}

}  // namespace negativa
