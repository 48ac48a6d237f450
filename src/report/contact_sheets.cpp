#include "report/contact_sheets.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "image/resize.h"
#include "image/sheet.h"
#include "runs/address.h"

namespace negativa {

namespace {

constexpr int largest_cell_px = 256;                // larger pictures are shrunk to it
constexpr int smallest_cell_px = 160, gap_px = 40;  // a small picture is enlarged to at least 160; generous for what lies between
constexpr int head_px = 900, side_px = 700;         // likewise for title, labels, caption
constexpr size_t most_columns = 60;

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

  Image8 sheet(const Block& block, const std::vector<int>& arms, const std::vector<int>& prompts, const std::string& part,
               const CancelToken& cancel) const {
    Sheet sheet;
    sheet.title = block.title + part;
    sheet.caption = "the same noise along a row; plan " + plan_.hash().substr(0, short_address);
    for (const int arm : arms) sheet.column_labels.push_back(plan_.arms[static_cast<size_t>(arm)].name);
    for (const int prompt : prompts) {
      cancel.throw_if_cancelled();
      sheet.row_labels.push_back(plan_.prompts[static_cast<size_t>(prompt)].text);
      auto& row = sheet.cells.emplace_back();
      for (const int arm : arms) row.push_back(picture(arm, prompt));
    }
    return labelled_sheet(sheet);
  }

  // Longer side of a cell as the sheet will have it.
  int cell_px(const Block& block) const {
    int longest = 0;
    for (const int arm : block.arms)
      for (const int prompt : block.prompts)
        if (const Image8 image = picture(arm, prompt); !image.empty()) {
          longest = std::max(image.width, image.height);
          return longest * std::max(1, (smallest_cell_px + image.width - 1) / image.width);
        }
    return longest;
  }

 private:
  const RunStore& store_;
  const RunPlan& plan_;
  std::map<std::pair<int, int>, size_t> cells_;
};

template <class T>
std::vector<std::vector<T>> cut(const std::vector<T>& all, size_t most) {
  std::vector<std::vector<T>> parts;
  for (size_t i = 0; i < all.size(); i += most)
    parts.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(i),
                       all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), i + most)));
  return parts;
}

}  // namespace

void draw_contact_sheets(const ContactSheets& sheets, const CancelToken& cancel,
                         const std::function<void(const ContactSheet&)>& take) {
  const Drawer drawer(sheets.store, sheets.plan, sheets.records);
  for (const auto& block : blocks_of(sheets.plan)) {
    const int cell = drawer.cell_px(block) + gap_px;
    if (cell == gap_px) continue;  // nothing is drawn
    std::vector<std::pair<std::vector<int>, std::vector<int>>> parts;
    for (const auto& arms : cut(block.arms, most_columns)) {
      const int64_t width = side_px + static_cast<int64_t>(arms.size()) * cell;
      const int64_t rows = (sheets.most_pixels / width - head_px) / cell;
      for (const auto& prompts : cut(block.prompts, static_cast<size_t>(std::max<int64_t>(1, rows))))
        parts.emplace_back(arms, prompts);
    }
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::string part = parts.size() == 1 ? "" : fmt::format(", sheet {} of {}", i + 1, parts.size());
      take({parts.size() == 1 ? block.stem : fmt::format("{}-{}", block.stem, i + 1),
            drawer.sheet(block, parts[i].first, parts[i].second, part, cancel)});
    }
  }
}

}  // namespace negativa
