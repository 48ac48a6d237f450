#include "train/dataset.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/files.h"
#include "base/names.h"
#include "base/sha256.h"
#include "base/text.h"
#include "image/exif.h"
#include "image/resize.h"
#include "io/image_tensor.h"
#include "train/captions.h"

namespace negativa {

namespace fs = std::filesystem;

namespace {

// A latent's pixel covers 8x8 of a picture: what is smaller shows nothing, like a page's tracking pixel, and would be a flat
// colour.
constexpr int min_side_px = 8;
constexpr int64_t max_resized_side_px = 1 << 30;  // a side is an int

// Hidden files are other programs' (AppleDouble "._x.png", our own unfinished ones).
bool is_hidden(const fs::path& name) { return name.native().starts_with('.'); }

// Pictures of all formats: those that are not read are named as broken, not passed over in silence like a text file.
struct Listing {
  std::set<std::string> pictures;  // names in the folder itself
  std::vector<std::string> folders;
};

Listing list_folder(const fs::path& folder) {
  Listing found;
  std::error_code error, ignored;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const auto name = entry->path().filename();
    if (is_hidden(name)) continue;
    if (has_picture_name(name))
      found.pictures.insert(name);
    else if (entry->is_directory(ignored))
      found.folders.push_back(name);
  }
  check(!error, ErrorKind::input, "[{}] cannot be listed: {}", folder.string(), error.message());
  return found;
}

// Pictures in folders inside the folder that are in no list: people put them there and think that they are used. A link is
// followed once.
std::map<std::string, int64_t> unused_folders(const fs::path& folder, const std::vector<std::string>& inside,
                                              const MetadataCaptions& metadata) {
  std::map<std::string, int64_t> unused;
  std::error_code error, ignored;
  for (const auto& name : inside)
    for (fs::recursive_directory_iterator entry(folder / name, error); !error && entry != fs::recursive_directory_iterator();
         entry.increment(error)) {
      const auto file = entry->path().lexically_relative(folder);
      if (is_hidden(file.filename()))
        entry.disable_recursion_pending();
      else if (has_picture_name(file) && entry->is_regular_file(ignored) && !metadata.contains(file.generic_string()))
        ++unused[file.parent_path().generic_string()];
    }
  return unused;
}

fs::file_type type_of(const fs::path& path) {  // never throws: a link that leads to itself is `none`
  std::error_code ignored;
  return fs::status(path, ignored).type();
}

int64_t crop_offset(int64_t size, int64_t target) {
  // Halves to even, as Python's round.
  return std::max<int64_t>(0, static_cast<int64_t>(std::nearbyint(static_cast<double>(size - target) / 2)));
}

// The shorter side becomes the resolution, the longer one is cut off to a whole number: torchvision, transforms.functional,
// _compute_resized_output_size.
SizePx resized_size(const SizePx& original, int64_t resolution) {
  const auto longer = [&](int64_t size, int64_t shorter) { return resolution * size / shorter; };
  return original.width <= original.height ? SizePx{longer(original.height, original.width), resolution}
                                           : SizePx{resolution, longer(original.width, original.height)};
}

struct Examined {
  Example example;
  std::string profile_fault;
};

// Throws with a message that begins with [name].
Examined examine(const fs::path& folder, const std::string& name, int64_t resolution) {
  const fs::path file = folder / name;
  check(type_of(file) != fs::file_type::not_found, ErrorKind::input, "[{}] is not there", name);
  check(type_of(file) == fs::file_type::regular, ErrorKind::input, "[{}] is no file", name);
  const auto bytes = read_file(file);
  const auto [image, profile_fault] = see_picture(bytes, name);
  check(std::min(image.width, image.height) >= min_side_px, ErrorKind::input,
        "[{}] has {}x{} pixels, expected at least {} a side", name, image.width, image.height, min_side_px);
  Example example{file, name, "", {image.height, image.width}, {}, {resolution, resolution}, sha256_hex(bytes)};
  const auto resized = resized_size(example.original_size, resolution);
  check(std::max(resized.height, resized.width) <= max_resized_side_px, ErrorKind::input,
        "[{}] has {}x{} pixels: too narrow; crop it", name, image.width, image.height);
  example.crop_top_left = {crop_offset(resized.height, resolution), crop_offset(resized.width, resolution)};
  return {example, profile_fault};
}

// A picture's own fault; a machine that fails (memory, a disk) is none.
bool is_of_the_file(const Error& error) { return error.kind() != ErrorKind::machine && error.kind() != ErrorKind::cancelled; }

void check_request(const DatasetRequest& request) {
  check(type_of(request.folder) == fs::file_type::directory, ErrorKind::input,
        "[{}] is not a folder, expected one with PNG, JPEG or WebP pictures", request.folder.string());
  check(request.resolution_px > 0 && request.resolution_px <= 1 << 16, ErrorKind::input,
        "[--resolution] got {}, expected 1 to 65536", request.resolution_px);
}

// "12 in sub, 3 in more/deep"
std::string folders_text(const std::map<std::string, int64_t>& folders) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : folders) parts.push_back(fmt::format("{} in {}", count, name));
  return joined(parts, ", ");
}

void check_not_empty(const std::set<std::string>& names, const Dataset& dataset, const fs::path& folder) {
  const auto& inside = dataset.unused_folders;
  if (!names.empty()) return;
  check(!inside.empty(), ErrorKind::input, "[{}] holds no PNG, JPEG or WebP pictures; is it the right folder?", folder.string());
  fail(ErrorKind::input,
       "[{}] holds no pictures itself, and those in folders inside it are not searched for: {}; name one of these folders, as "
       "{}, or list the pictures in {}",
       folder.string(), folders_text(inside), (folder / inside.begin()->first).string(), names::metadata_jsonl);
}

void give_notices(const Dataset& dataset, const DatasetRequest& request, const DataHooks& hooks) {
  if (!hooks.on_notice) return;
  if (!dataset.unused_folders.empty())
    hooks.on_notice(fmt::format("pictures in folders inside {} are not used: {}", request.folder.string(),
                                folders_text(dataset.unused_folders)));
  std::vector<std::string> reasons;
  for (const auto& [name, reason] : dataset.without_profile) reasons.push_back(reason);
  if (!reasons.empty())
    hooks.on_notice(
        fmt::format("colour profiles that cannot be applied, so colours are taken as sRGB: {}", joined(reasons, ", ")));
  if (!dataset.broken.empty()) hooks.on_notice("left out: " + dataset.broken_summary());
  const auto small = std::count_if(dataset.examples.begin(), dataset.examples.end(), [&](const Example& example) {
    return std::min(example.original_size.height, example.original_size.width) < request.resolution_px;
  });
  if (small == 0) return;
  hooks.on_notice(fmt::format("{} of {} pictures are smaller than {} px and are enlarged", small, dataset.examples.size(),
                              request.resolution_px));
}

}  // namespace

std::string Dataset::sha256() const {
  std::string listing;  // hashes, so that no text can end another one's field
  for (const auto& example : examples)
    listing += sha256_hex(example.name) + " " + example.sha256 + " " + sha256_hex(example.caption) + "\n";
  return sha256_hex(listing);
}

std::string Dataset::broken_summary() const {
  if (broken.empty()) return "";
  std::vector<std::string> shown;
  for (const auto& [name, reason] : broken) shown.push_back(reason);
  return fmt::format("{} of {} files cannot be used: {}", broken.size(), broken.size() + examples.size(), joined(shown, ", "));
}

Dataset open_dataset(const DatasetRequest& request, const DataHooks& hooks) {
  check_request(request);
  const auto where = request.folder.string();
  StoredNames stored;
  const auto metadata = request.captions ? read_metadata_captions(request.folder, stored) : MetadataCaptions();
  auto [names, folders] = list_folder(request.folder);
  for (const auto& [name, caption] : metadata) names.insert(name);
  Dataset dataset;
  dataset.unused_folders = unused_folders(request.folder, folders, metadata);
  check_not_empty(names, dataset, request.folder);

  int64_t done = 0;
  for (const auto& name : names) {
    if (hooks.cancel) hooks.cancel->throw_if_cancelled();
    try {
      auto [example, profile_fault] = examine(request.folder, name, request.resolution_px);
      example.caption = request.captions ? caption_of(request.folder, name, metadata, stored) : request.prompt;
      dataset.examples.push_back(std::move(example));
      if (!profile_fault.empty()) dataset.without_profile.push_back({name, fmt::format("[{}] {}", name, profile_fault)});
    } catch (const Error& error) {
      if (!is_of_the_file(error)) throw;
      dataset.broken.push_back({name, error.what()});
    }
    if (hooks.on_progress) hooks.on_progress(++done, static_cast<int64_t>(names.size()));
  }
  check(!dataset.examples.empty(), ErrorKind::input, "[{}] holds no usable picture: {}", where, dataset.broken_summary());
  check(dataset.broken.empty() || request.skip_broken, ErrorKind::input, "[{}] {}; mend or remove them, or try --skip-broken",
        where, dataset.broken_summary());
  give_notices(dataset, request, hooks);
  return dataset;
}

Tensor read_pixels(const Example& example, bool mirror) {
  const auto bytes = read_file(example.file);
  check(sha256_hex(bytes) == example.sha256, ErrorKind::input, "[{}] changed since the run began; start again",
        example.file.string());
  const Image8 image = see_picture(bytes, example.file.string()).image;
  const auto side = example.target_size.width;
  const auto resized = resized_size(example.original_size, side);
  const auto& crop = example.crop_top_left;
  const auto left = mirror ? resized.width - side - crop.width : crop.width;
  const Window window{static_cast<int>(left), static_cast<int>(crop.height), static_cast<int>(side), static_cast<int>(side)};
  const Image8 square =
      resize_window(image, static_cast<int>(resized.width), static_cast<int>(resized.height), window, Filter::lanczos);
  return image_to_tensor(mirror ? mirrored(square) : square);
}

}  // namespace negativa
