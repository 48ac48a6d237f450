#include "report/contact_sheets.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"
#include "image/cut_sheets.h"
#include "image/resize.h"
#include "runs/address.h"

namespace negativa {

namespace {

constexpr int largest_cell_px = 256;  // larger pictures are shrunk to it

struct Block {  // of one sheet or several
  std::string stem, title;
  std::vector<int> arms, prompts;
};

std::vector<int> prompts_of(const RunPlan& plan, const std::string& list) {
  std::vector<int> prompts;
  for (size_t i = 0; i < plan.prompts.size(); ++i)
    if (plan.prompts[i].list == list) prompts.push_back(static_cast<int>(i));
  return prompts;
}

// Arms that share a list, and those of a sweep, each in the plan's order.
std::vector<Block> blocks_of(const RunPlan& plan) {
  std::vector<Block> blocks;
  for (size_t i = 0; i < plan.arms.size(); ++i) {
    const PlannedArm& arm = plan.arms[i];
    const std::string stem = slug(arm.sweep.empty() ? "pictures " + arm.list : "sweep " + arm.sweep + " " + arm.list);
    auto found = std::find_if(blocks.begin(), blocks.end(), [&](const Block& block) { return block.stem == stem; });
    if (found == blocks.end()) {
      const std::string title = arm.sweep.empty() ? fmt::format("{}, prompts {}", plan.name, arm.list)
                                                  : fmt::format("{}, sweep {}", plan.name, arm.sweep);
      blocks.push_back({stem, title, {}, prompts_of(plan, arm.list)});
      found = blocks.end() - 1;
    }
    found->arms.push_back(static_cast<int>(i));
  }
  return blocks;
}

class Drawer {
 public:
  Drawer(const RunStore& store, const RunPlan& plan, const RunRecords& records) : store_(store), plan_(plan) {
    for (const auto& picture : records.pictures)
      if (picture.is_drawn && picture.replicate == 0 && picture.training <= 0)
        cells_.try_emplace({picture.arm, picture.prompt}, picture.cell);
  }

  Image8 picture(int arm, int prompt) const {
    const auto found = cells_.find({arm, prompt});
    if (found == cells_.end()) return {};
    Image8 image = read_png(store_.path(plan_.cells[found->second])).image;
    const int longest = std::max(image.width, image.height);
    if (longest <= largest_cell_px) return image;
    const auto side = [&](int px) { return std::max(1, px * largest_cell_px / longest); };
    return resize(image, side(image.width), side(image.height), Filter::lanczos);
  }

  // The longest sides that the sheets have a picture of: those of an arm are all of one size.
  std::pair<int, int> size_of(const Block& block) const {
    std::pair<int, int> size{0, 0};
    for (const int arm : block.arms)
      for (const int prompt : block.prompts)
        if (const Image8 image = picture(arm, prompt); !image.empty()) {
          size = {std::max(size.first, image.width), std::max(size.second, image.height)};
          break;
        }
    return size;
  }

 private:
  const RunStore& store_;
  const RunPlan& plan_;
  std::map<std::pair<int, int>, size_t> cells_;
};

PictureGrid grid_of(const ContactSheets& sheets, const Drawer& drawer, const Block& block) {
  PictureGrid grid;
  grid.title = block.title;
  grid.caption = std::string(same_noise_along_a_row) + "; plan " + sheets.plan.hash().substr(0, short_address);
  for (const int arm : block.arms) grid.column_labels.push_back(sheets.plan.arms[static_cast<size_t>(arm)].name);
  for (const int prompt : block.prompts) grid.row_labels.push_back(sheets.plan.prompts[static_cast<size_t>(prompt)].text);
  grid.picture = [&](size_t row, size_t column) { return drawer.picture(block.arms[column], block.prompts[row]); };
  std::tie(grid.picture_width, grid.picture_height) = drawer.size_of(block);
  grid.most_pixels = sheets.most_pixels;
  return grid;
}

}  // namespace

void draw_contact_sheets(const ContactSheets& sheets, const CancelToken& cancel,
                         const std::function<void(const ContactSheet&)>& take) {
  const Drawer drawer(sheets.store, sheets.plan, sheets.records);
  for (const auto& block : blocks_of(sheets.plan)) {
    const PictureGrid grid = grid_of(sheets, drawer, block);
    if (grid.picture_width == 0) continue;  // nothing is drawn
    cut_sheets(grid, cancel, [&](const CutSheet& sheet) { take({block.stem + sheet.suffix, sheet.image}); });
  }
}

}  // namespace negativa
