#pragma once
// Contact sheets of a run, to be posted: prompts by arms with their names.
#include <functional>

#include "image/image.h"
#include "report/run_records.h"

namespace negativa {

struct ContactSheet {
  std::string stem;  // of its file: "pictures-test-1"
  Image8 image;
};

struct ContactSheets {
  const RunStore& store;
  const RunPlan& plan;
  const RunRecords& records;
  int64_t most_pixels = max_image_pixels;  // of a sheet
};

// One for each list of prompts and one for each sweep; the first noise seed and training of each picture. What would have more
// than that many pixels is cut into numbered ones (image/cut_sheets.h). A picture that is not there leaves its place blank.
// Throws ErrorKind::file_format for a picture that is none, cancelled.
void draw_contact_sheets(const ContactSheets& sheets, const CancelToken& cancel,
                         const std::function<void(const ContactSheet&)>& take);

}  // namespace negativa
