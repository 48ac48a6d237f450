#pragma once
// What a judge's folder says of the pictures it was made for: names, colours, damage words. docs/experiments.md, "world.toml".
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "image/image.h"

namespace negativa {

// What a caption of that world says.
struct CaptionFacts {
  std::string plain;                 // without damage words
  std::vector<std::string> damages;  // those it had
  std::vector<std::string> objects;  // known names, in order; none: the caption speaks of something else
  std::optional<Colour> background;
};

struct World {
  std::vector<std::string> objects, damages;
  std::vector<std::pair<std::string, Colour>> colours;
  std::vector<std::string> articles;     // what may stand before an object: "a ", "small "
  std::string between, background;       // " next to "; " on a {} background"
  std::vector<std::string> calibration;  // captions of pictures drawn to calibrate the judge, in no prompt list of an experiment

  // Throws ErrorKind::file_format or missing_key naming the file and key.
  static World parse(std::string_view toml, std::string_view where);

  CaptionFacts facts(std::string_view caption) const;
  std::string damaged(const std::string& plain,
                      const std::string& damage) const;  // "frog, blurry"; of an empty caption the word alone
};

// world.toml of a judge's folder. Absent: the folder has none, so it is a judge of pictures at large.
std::optional<World> find_world(const std::filesystem::path& judge_folder);

}  // namespace negativa
