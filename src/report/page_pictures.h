#pragma once
// The pictures of a page: linked where they lie in the run folder, or within the page itself.
#include "image/image.h"
#include "report/run_records.h"

namespace negativa {

inline constexpr int small_picture_px = 128;  // up to it a picture is shown whole, pixel by pixel; larger ones as thumbnails
inline constexpr int thumbnail_px = 192;      // the longer side of those

struct PagePicture {
  std::string source;         // of <img>: relative to the run folder, percent-encoded, or a data: URI; empty: it cannot be shown
  std::string file;           // the whole picture, relative; empty: not linked
  int width = 0, height = 0;  // px, of the picture itself
};

// A path of '/' and names as a relative URL.
std::string relative_url(std::string_view path);

class PagePictures {
 public:
  // `thumbnails`: the folder, relative to the run's, where thumbnails are kept from page to page. The store must outlive this.
  explicit PagePictures(const RunStore& store) : store_(store) {}

  // Of a picture that is drawn. Makes its thumbnail where it needs one and has none. A file that is no PNG, whatever its hash,
  // has no source; notices() says so.
  PagePicture linked(const PlannedCell& cell);
  // The same with its bytes in the page.
  PagePicture embedded(const PlannedCell& cell);

  const std::vector<std::string>& notices() const { return notices_; }

 private:
  std::optional<std::pair<int, int>> size_of(const std::filesystem::path& file);
  std::string thumbnail(const PlannedCell& cell);

  const RunStore& store_;
  std::vector<std::string> notices_;
};

}  // namespace negativa
