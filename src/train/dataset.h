#pragma once
// Pictures to train on. A folder is read once before the first step, so that what is wrong with it is said then and not hours
// later; pixels are decoded again when they are needed. docs/formats.md, "Training set". Source of sizes and crop: diffusers,
// examples/dreambooth/train_dreambooth_lora_sdxl.py, DreamBoothDataset.
#include <filesystem>
#include <functional>
#include <map>

#include "base/cancel.h"
#include "unet/size_cond.h"

namespace negativa {

struct DatasetRequest {
  std::filesystem::path folder;
  std::string prompt;     // of every picture, unless `captions`
  bool captions = false;  // each has its own: NAME.txt or metadata.jsonl
  int64_t resolution_px = 1024;
  bool skip_broken = false;  // leave out what cannot be used instead of stopping
};

struct Example {
  std::filesystem::path file;
  std::string name;  // relative to the folder, with '/'
  std::string caption;
  SizePx original_size;  // as a person sees it: after EXIF, before resizing
  SizePx crop_top_left;  // (top, left) of the square in the resized picture
  SizePx target_size;    // (resolution, resolution)
  std::string sha256;    // of the file

  SizeCond size_cond() const { return {original_size, crop_top_left, target_size}; }
};

struct BrokenFile {
  std::string name;
  std::string reason;  // one line that begins with [name]
};

struct Dataset {
  std::vector<Example> examples;  // sorted by name
  std::vector<BrokenFile> broken;
  std::vector<BrokenFile> without_profile;  // taken as sRGB, since their colour profiles cannot be applied
  std::map<std::string, int64_t>
      unused_folders;  // folders in it, with how many pictures each has that no line of metadata.jsonl names

  std::string sha256() const;          // of names, file hashes and captions: what a recipe stores
  std::string broken_summary() const;  // "2 of 30 files cannot be used: …", each with its reason; empty when all can
};

struct DataHooks {
  std::function<void(int64_t done, int64_t total)> on_progress;  // after each picture or text
  std::function<void(const std::string&)> on_notice;
  const CancelToken* cancel = nullptr;  // asked before each
  std::filesystem::path cache;          // Places::cache
};

// Opens and decodes every picture. Throws ErrorKind::input: no such folder, no picture that can be used, broken_summary() unless
// skip_broken; as read_metadata_captions does; ErrorKind::cancelled.
Dataset open_dataset(const DatasetRequest& request, const DataHooks& hooks = {});

// The square of one picture, [1,3,res,res] fp32 in [-1,1]. Throws ErrorKind::input when the file is no longer what open_dataset
// read. mirrored: the mirror image of the resized picture, cropped at the same place.
Tensor read_pixels(const Example& example, bool mirrored);

}  // namespace negativa
