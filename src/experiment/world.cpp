#include "experiment/world.h"

#include <algorithm>

#include "base/config.h"
#include "base/files.h"
#include "base/json.h"
#include "base/names.h"
#include "base/text.h"

namespace negativa {

namespace {

constexpr std::string_view damage_separator = ", ";

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + separator.size();
  }
}

bool is_among(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> texts(const Json& json, const std::string& key, std::string_view where) {
  auto list = get<std::vector<std::string>>(json, key, where);
  check(!list.empty(), ErrorKind::file_format, "[{}] {} is empty", where, key);
  auto sorted = list;
  std::sort(sorted.begin(), sorted.end());
  const auto twice = std::adjacent_find(sorted.begin(), sorted.end());
  check(twice == sorted.end(), ErrorKind::file_format, "[{}] {} names \"{}\" twice", where, key,
        twice == sorted.end() ? "" : *twice);
  return list;
}

std::vector<std::pair<std::string, Colour>> read_colours(const Json& json, std::string_view where) {
  std::vector<std::pair<std::string, Colour>> colours;
  for (const auto& [name, value] : get_object(json, "colours", where).items()) {
    const auto channels = json_holds<std::vector<int64_t>>(value) ? value.get<std::vector<int64_t>>() : std::vector<int64_t>{};
    check(channels.size() == 3 && std::all_of(channels.begin(), channels.end(), [](int64_t c) { return c >= 0 && c <= 255; }),
          ErrorKind::file_format, "[{}] colours.{}: got {}, expected [red, green, blue], each 0 to 255", where, name,
          json_excerpt(value));
    colours.emplace_back(
        name, Colour{static_cast<uint8_t>(channels[0]), static_cast<uint8_t>(channels[1]), static_cast<uint8_t>(channels[2])});
  }
  check(!colours.empty(), ErrorKind::file_format, "[{}] colours is empty", where);
  return colours;
}

}  // namespace

World World::parse(std::string_view toml, std::string_view where) {
  const Json json = parse_toml(toml, where);
  World world;
  world.objects = texts(json, "objects", where);
  world.damages = texts(json, "damages", where);
  world.articles = texts(json, "articles", where);
  world.calibration = texts(json, "calibration", where);
  world.between = get<std::string>(json, "between", where);
  world.background = get<std::string>(json, "background", where);
  check(!world.between.empty(), ErrorKind::file_format, "[{}] between is empty", where);
  check(world.background.find("{}") != std::string::npos, ErrorKind::file_format,
        "[{}] background: got \"{}\", expected a text with {{}} for the colour", where, world.background);
  world.colours = read_colours(json, where);
  return world;
}

CaptionFacts World::facts(std::string_view caption) const {
  CaptionFacts facts;
  for (const auto& part : split(caption, damage_separator)) {
    if (is_among(damages, part)) {
      facts.damages.push_back(part);
      continue;
    }
    if (!facts.plain.empty()) facts.plain += damage_separator;
    facts.plain += part;
  }
  std::string scene = ascii_lower(facts.plain);
  const size_t hole = background.find("{}");
  for (const auto& [name, colour] : colours) {
    const size_t at = scene.find(std::string(background).replace(hole, 2, name));
    if (at == std::string::npos) continue;
    facts.background = colour;
    scene.erase(at);
  }
  for (std::string name : split(scene, between)) {
    for (bool again = true; again && !is_among(objects, name);) {
      again = false;
      for (const auto& article : articles)
        if (name.starts_with(article)) name.erase(0, article.size()), again = true;
    }
    if (is_among(objects, name)) facts.objects.push_back(name);
  }
  return facts;
}

std::string World::damaged(const std::string& plain, const std::string& damage) const {
  return plain.empty() ? damage : plain + std::string(damage_separator) + damage;
}

std::optional<World> find_world(const std::filesystem::path& judge_folder) {
  const auto path = judge_folder / names::judge_world;
  if (!std::filesystem::exists(path)) return {};
  return World::parse(read_file(path, 16 << 20), path.string());
}

}  // namespace negativa
