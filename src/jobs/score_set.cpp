#include "jobs/score_set.h"

#include <algorithm>
#include <sstream>

#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/recipe.h"
#include "base/text.h"
#include "image/image.h"
#include "text/prompt.h"
#include "train/captions.h"

namespace negativa {

namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& file) {
  std::string extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return std::tolower(c); });
  return !file.filename().string().starts_with(".") &&
         (extension == ".png" || extension == ".jpg" || extension == ".jpeg" || extension == ".webp");
}

std::vector<std::string> pictures_in(const Path& folder, const MetadataCaptions& listed) {
  check(fs::exists(folder), ErrorKind::input, "[score] {} does not exist; expected a folder of pictures", folder.string());
  check(fs::is_directory(folder), ErrorKind::input, "[score] {} is a file, expected a folder of pictures", folder.string());
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    if (is_picture(entry.path()) && !entry.is_directory()) names.push_back(entry.path().filename().string());
  for (const auto& [name, text] : listed) {
    check(fs::exists(folder / name), ErrorKind::input, "[score] {} names {}, which is not there",
          (folder / names::metadata_jsonl).string(), name);
    names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  check(!names.empty(), ErrorKind::input, "[score] {} has no pictures, expected PNG, JPEG or WebP files", folder.string());
  return names;
}

// What `generate` wrote of a picture beside its caption.
struct Line {
  std::optional<uint64_t> seed;
  bool weighted = false;  // the text has the syntax of prompt weights
};

std::map<std::string, Line> read_lines(const Path& folder) {
  std::map<std::string, Line> lines;
  if (!fs::exists(folder / names::metadata_jsonl)) return lines;
  std::istringstream text(read_file(folder / names::metadata_jsonl));
  for (std::string line; std::getline(text, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json json = parse_json(line, names::metadata_jsonl);
    Line& one = lines[fs::path(get<std::string>(json, "file_name", names::metadata_jsonl)).lexically_normal().generic_string()];
    if (json.contains("seed") && json_holds<uint64_t>(json["seed"])) one.seed = json["seed"].get<uint64_t>();
    one.weighted = json.contains("weighting") && json["weighting"] == "compel";
  }
  return lines;
}

std::optional<Recipe> recipe_of(const Path& file) {
  std::string extension = file.extension().string();
  if (extension != ".png" && extension != ".PNG") return {};
  try {
    for (const auto& [key, text] : read_png_text(file))
      if (key == names::png_recipe) return Recipe::from_text(text, file.string());
  } catch (const Error&) {  // what is wrong with the picture is said when it is decoded
  }
  return {};
}

std::string words_of(const std::string& prompt, bool weighted) { return weighted ? clean_text(parse_prompt(prompt)) : prompt; }

void take_recipe(ScoredFile& file, bool has_caption) {
  const auto recipe = recipe_of(file.path);
  if (!recipe) return;
  if (!file.seed) file.seed = recipe->seed;
  for (const auto& input : recipe->inputs)
    if (input.role == "model") file.model = input.name;
  const Json settings = parse_json(recipe->settings_json, file.name);
  if (!has_caption && settings.contains("prompt") && settings["prompt"].is_string())
    file.caption = words_of(settings["prompt"].get<std::string>(),
                            get_or<std::string>(settings, "weighting", "compel", file.name) == "compel");
}

}  // namespace

ScoreSet read_score_set(const Path& folder, bool captions) {
  StoredNames stored;
  const MetadataCaptions listed = fs::is_directory(folder) ? read_metadata_captions(folder, stored) : MetadataCaptions{};
  const auto lines = fs::is_directory(folder) ? read_lines(folder) : std::map<std::string, Line>{};
  ScoreSet set{folder.string(), {}};
  std::vector<std::string> without;
  for (const auto& name : pictures_in(folder, listed)) {
    ScoredFile file{folder / name, name, {}, {}, {}};
    const auto line = lines.find(name);
    if (line != lines.end()) file.seed = line->second.seed;
    const auto in_list = listed.find(name);
    const bool beside = fs::exists((folder / name).replace_extension(names::caption_extension));
    const bool has_caption = beside || (in_list != listed.end() && in_list->second);
    if (captions && has_caption)
      file.caption = words_of(caption_of(folder, name, listed, stored), line != lines.end() && line->second.weighted);
    take_recipe(file, has_caption);
    if (captions && !has_caption && file.caption.empty()) without.push_back(name);
    set.files.push_back(std::move(file));
  }
  check(
      without.empty(), ErrorKind::input,
      "[score] {} of {} pictures of {} have no caption ({}{}): neither a line in {}, nor a .txt beside, nor a recipe in the PNG",
      without.size(), set.files.size(), folder.string(),
      joined(std::span(without).first(std::min<size_t>(without.size(), 4)), ", "), without.size() > 4 ? " …" : "",
      names::metadata_jsonl);
  return set;
}

Image8 picture_of(const Path& file, EventSink& events) {
  SeenPicture seen = see_picture(read_file(file), file.string());
  if (!seen.profile_fault.empty())
    events.on_notice(fmt::format("{}: {}; its colours are taken as sRGB", file.string(), seen.profile_fault));
  return std::move(seen.image);
}

}  // namespace negativa
